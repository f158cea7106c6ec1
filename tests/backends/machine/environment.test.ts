import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { StoredRecord } from "../../../src/port/index.ts";
import { lock, record, results, embedded, run } from "./support/processes.ts";

embedded("backends of one process share the data, and the last one closes it", async (scene) => {
  const [a, b] = [await scene.backend(), await scene.backend()];
  const [first, second] = await Promise.all([a.open(), b.open()]);
  assert.equal(first.domain, second.domain);
  await results(a.session(), { op: "set", key: record("k"), id: "1", value: "v" });
  const [found] = await results(b.session(), { op: "get", key: record("k") });
  assert.equal((found as StoredRecord).value, "v");
  await a.close();
  await results(b.session(), { op: "set", key: record("k"), id: "2", value: "w" });
  await b.close();
  // At once again: the new one waits for the old one's end.
  const [again] = await results(await scene.session(), { op: "get", key: record("k") });
  assert.equal((again as StoredRecord).value, "w");
});

embedded("calls made before it is open, and in one go, are all answered", async (scene) => {
  const session = await scene.session();
  const groups = Array.from({ length: 2_000 }, (_, i) => ({
    ops: [{ op: "set", key: record(`k${i}`), id: String(i), value: "v" } as const],
  }));
  const claimed: number[] = [];
  const call = { deadline: performance.now() + 20_000, claim: (i: number) => claimed.push(i) > 0 && i % 10 !== 0 };
  const outcomes = await session.execute(groups, call);
  assert.deepEqual(claimed, [...groups.keys()], "each is asked for once");
  for (const [i, outcome] of outcomes.entries()) assert.equal(outcome.ok, i % 10 !== 0);
  const [unclaimed, sent] = await results(
    session,
    { op: "get", key: record("k10") },
    { op: "get", key: record("k11") },
  );
  assert.equal(unclaimed, undefined);
  assert.equal((sent as StoredRecord).id, "11");
});

embedded("what was expired is removed in time, and the file does not grow with what comes and goes", async (scene) => {
  const session = await scene.session();
  const value = "v".repeat(2_000);
  let largest = 0;
  for (let round = 0; round < 12; round++) {
    const groups = Array.from({ length: 200 }, (_, i) => ({
      ops: [{ op: "set", key: record(`${round}-${i}`), id: "1", value, ttl: 50 } as const],
    }));
    const outcomes = await session.execute(groups, { deadline: performance.now() + 20_000, claim: () => true });
    assert.ok(outcomes.every(({ ok }) => ok));
    if (round === 4) largest = await scene.kind.size(scene.folder);
    await pause(300);
  }
  const size = await scene.kind.size(scene.folder);
  assert.ok(size <= largest * 1.5, `${largest} grew to ${size}`);
});

embedded("a read sees what was acknowledged just before, and holds no snapshot", async (scene) => {
  const backend = await scene.backend();
  await backend.open();
  const session = backend.session();
  const child = await scene.child();
  for (let i = 0; i < 100; i++) {
    const outcome = await child.execute({ op: "set", key: record("k"), id: `${i}`, value: "v" });
    assert.ok(outcome.ok);
    const read = session.executeNow?.({ ops: [{ op: "get", key: record("k") }] });
    assert.ok(read?.ok);
    assert.equal((read.results[0] as StoredRecord).id, `${i}`);
  }
});

embedded(
  "when the commit thread dies, what it had not begun is not sent, what waited is done, and a new thread goes on",
  async (scene) => {
    const crash = path.join(import.meta.dirname, "support", "crash.ts");
    const child = fork(crash, [scene.url], { execArgv: [] });
    const told: string[] = [];
    child.on("message", (message: string) => told.push(message));
    const [code] = (await once(child, "exit")) as [number];
    assert.equal(code, 0, told.join("\n"));
    assert.deepEqual(told, ["sent: UNAVAILABLE", "waiting: ok", "after: ok", "reads: ok", "signals: gap"]);
  },
);

embedded(
  "a commit thread that dies while subscriptions are registered anew is a gap, and they are told again by the next",
  async (scene) => {
    const crash = path.join(import.meta.dirname, "support", "crash-twice.ts");
    const child = fork(crash, [scene.url], { execArgv: [] });
    const told: string[] = [];
    child.on("message", (message: string) => told.push(message));
    const [code] = (await once(child, "exit")) as [number];
    assert.equal(code, 0);
    assert.deepEqual(told, ["threads: 3, told"]);
  },
);

embedded("a call ends by its deadline though another process stopped inside a commit", async (scene, t) => {
  const backend = await scene.backend();
  const session = backend.session();
  await results(session, { op: "set", key: record("k"), id: "1", value: "v" });
  const stuck = path.join(import.meta.dirname, "support", "stuck.ts");
  const child = fork(stuck, [scene.kind.name, scene.kind.file(scene.folder)], { execArgv: [] });
  t.after(() => child.kill("SIGKILL"));
  await once(child, "message");
  const start = performance.now();
  const [first, second] = await Promise.all([
    run(session, { ops: [{ op: "set", key: record("k"), id: "2", value: "v" }] }, 300),
    pause(20).then(() => run(session, { ops: [{ op: "set", key: record("l"), id: "2", value: "v" }] }, 300)),
  ]);
  assert.ok(performance.now() - start < 4_500);
  assert.ok(!first.ok && first.why === "failed" && !first.sent, "it is with the thread, which has not begun");
  assert.match(first.error.message, /another process holds up all that writes to the (?:directory|file)/);
  assert.ok(!second.ok && second.why === "failed" && !second.sent, "it never left");
  const read = session.executeNow?.({ ops: [{ op: "get", key: record("k") }] });
  assert.ok(read?.ok, "reads wait for nobody");
  child.kill("SIGKILL");
  await results(session, { op: "set", key: record("m"), id: "1", value: "v" });
  const [early, late] = await results(session, { op: "get", key: record("k") }, { op: "get", key: record("l") });
  assert.deepEqual([(early as StoredRecord).id, late], ["1", undefined], "what was told as not sent took no effect");
});

embedded("an idle backend, its leases and subscriptions keep no process alive; a call does", async (scene) => {
  const idle = path.join(import.meta.dirname, "support", "idle.ts");
  const child = fork(idle, [scene.url], { execArgv: [] });
  const [code] = (await once(child, "exit")) as [number];
  assert.equal(code, 0);
  const [state] = await results(await scene.session(), { op: "inspect", lock: lock("left") });
  assert.equal((state as { holders: unknown[] }).holders.length, 0, "its lease ended with it");
  const [last] = await results(await scene.session(), { op: "get", key: record("last") });
  assert.equal((last as StoredRecord).value, "v", "the pending call was finished");
});

embedded("a process that exits while it writes does end, and holds nobody up", async (scene, t) => {
  const session = await scene.session();
  const exit = path.join(import.meta.dirname, "support", "exit.ts");
  for (let round = 0; round < 6; round++) {
    const child = fork(exit, [scene.url, String(20 + round * 7)], { execArgv: [] });
    t.after(() => child.kill("SIGKILL"));
    const [code] = (await once(child, "exit")) as [number];
    assert.equal(code, 7);
    await results(session, { op: "set", key: record("next"), id: "1", value: "v" });
  }
});
