import assert from "node:assert/strict";
import type { ExecuteCall, Group } from "../../../src/port/index.ts";
import { record, embedded, results } from "./support/processes.ts";

embedded(
  "a write that shares a commit with the beginning of a watch is told if it is acknowledged after that",
  async (scene) => {
    const session = await scene.session();
    await results(session, { op: "set", key: record("first"), id: "1", value: "v" });
    // While this one is with the commit thread, all that follows is gathered for the next commit.
    const before = results(session, { op: "set", key: record("first"), id: "2", value: "v" });
    const told = new Set<string>();
    let live = false;
    const watched = session.signals?.subscribe({ changes: record("").space, prefix: "" }, (signal) => {
      if (signal.type === "changed") told.add(signal.key.key);
    });
    const groups = Array.from({ length: 200 }, (_, i): Group => {
      return { ops: [{ op: "set", key: record(`k${i}`), id: "1", value: "v" }] };
    });
    const late: string[] = [];
    const call: ExecuteCall = {
      deadline: performance.now() + 20_000,
      claim: () => true,
      settled: (i) => void (live && late.push(`k${i}`)),
    };
    // The watch is asked for in a few microtasks.
    for (let i = 0; i < 20; i++) await Promise.resolve();
    const written = session.execute(groups, call);
    await watched;
    live = true;
    await written;
    await before;
    assert.notEqual(late.length, 0, "none was acknowledged later");
    await results(session, { op: "set", key: record("last"), id: "1", value: "v" });
    while (!told.has("last")) await new Promise(setImmediate);
    assert.deepEqual(
      late.filter((key) => !told.has(key)),
      [],
    );
  },
);
