import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { lmdbBackend } from "../../../src/backends/lmdb/index.ts";
import type { Outcome, StoredRecord } from "../../../src/port/index.ts";
import { lmdb } from "../machine/support/kinds.ts";
import { record, results, Scene } from "../machine/support/processes.ts";

test("a group that fails in the driver spoils no other group of its batch", async (t) => {
  const scene = new Scene(t, lmdb);
  const session = await scene.session();
  // Longer than the driver takes: features refuse such a key, so only this can see it.
  const bad = record("x".repeat(3_000));
  const groups = [record("a"), bad, record("b")].map((key) => ({
    ops: [{ op: "set", key, id: "1", value: "v" } as const],
  }));
  const outcomes = await session.execute(groups, { deadline: performance.now() + 20_000, claim: () => true });
  assert.deepEqual(
    outcomes.map((outcome) => outcome.ok),
    [true, false, true],
  );
  const [, failed] = outcomes as readonly [Outcome, Outcome, Outcome];
  assert.ok(!failed.ok && failed.why === "failed" && !failed.sent);
  assert.equal((await results(session, { op: "get", key: record("b") })).length, 1);
});

test("the map grows as the data does, while others read", async (t) => {
  const scene = new Scene(t, lmdb);
  const backend = lmdbBackend({ path: path.join(scene.folder, "data"), mapSize: 1024 * 1024 });
  t.after(() => backend.close());
  const session = backend.session();
  const reader = await scene.child();
  const value = "v".repeat(256 * 1024);
  for (let i = 0; i < 64; i++) {
    await results(session, { op: "set", key: record(`k${i}`), id: "1", value });
    const now = session.executeNow?.({ ops: [{ op: "get", key: record(`k${i >> 1}`) }] });
    assert.ok(now?.ok);
    assert.equal((now.results[0] as StoredRecord).value, value);
  }
  const outcome = await reader.execute({ op: "get", key: record("k63") });
  assert.ok(outcome.ok);
  assert.equal((outcome.results[0] as StoredRecord).value, value);
});
