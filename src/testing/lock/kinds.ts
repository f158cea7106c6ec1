import assert from "node:assert/strict";
import { deferred } from "../../base/async.ts";
import type { Holder, Lock, StoredRun } from "../../lock/index.ts";
import type { Case } from "../suite.ts";
import { benchCase, lossOf, rejects, transacts, type Bench } from "./bench.ts";

const all = async <T>(listing: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = [];
  for await (const one of listing) found.push(one);
  return found;
};
const byKind = (found: readonly (Holder | StoredRun)[]): string[] =>
  [...new Set(found.map(({ kind, key }) => `${kind} ${key}`))].toSorted();

/** Looking at, and ending, what is not a lock by key: permits, sides of read/write locks, elections, runs. */
export const kindCases: readonly Case[] = [
  benchCase(
    "list tells of every hold with its kind, and of what is stored of runs",
    "locks: list",
    async (bench) => {
      const lock = bench.lock({ ttl: 60_000, label: "listed" });
      const over = deferred<void>();
      await Promise.all([
        lock.acquire("k"),
        lock.semaphore("s", { permits: 3 }).acquire(),
        lock.semaphore("s", { permits: 3 }).acquire(),
        lock.readWrite("r").read.acquire(),
        lock.readWrite("w").write.acquire(),
      ]);
      const leading = deferred<void>();
      const election = lock.elect("leader", async () => {
        leading.resolve();
        await over.promise;
      });
      await bench.settle(leading.promise);
      const found = await all(bench.lock().list());
      const held = ["election leader", "lock k", "read r", "semaphore s", "write w"];
      assert.deepEqual(byKind(found), held);
      const permits = found.filter(({ key }) => key === "s") as Holder[];
      assert.equal(new Set(permits.map(({ owner }) => owner)).size, 2, "each of those who share");
      for (const holder of found) if (holder.kind !== "result") assert.equal(holder.label, "listed");
      assert.deepEqual(byKind(await all(bench.lock().list({ kind: "read" }))), ["read r"]);
      assert.deepEqual(await all(bench.lock().list({ kind: "result" })), []);
      assert.equal((JSON.parse(JSON.stringify(permits[0])) as Holder).kind, "semaphore");
      assert.throws(() => lock.list({ kind: "other" as "lock" }), { code: "INVALID_ARGUMENT" });
      over.resolve();
      await bench.settle(election);
    },
    (capabilities) => capabilities.exclusion !== "none" && capabilities.list,
  ),

  benchCase("inspect tells of each kind who holds it", "locks: inspect", async (bench) => {
    const lock = bench.lock({ ttl: 60_000 });
    const other = bench.lock();
    const permit = await lock.semaphore("n", { permits: 2 }).acquire({ label: "permit" });
    const writer = await lock.readWrite("w").write.acquire();
    assert.equal(await other.inspect("n"), undefined, "a key of that name is another lock");
    const shown = await other.inspect("n", { kind: "semaphore" });
    assert.deepEqual([shown?.kind, shown?.label, shown?.owner], ["semaphore", "permit", permit.owner]);
    assert.equal((await other.inspect("n", { kind: "read" }))?.owner, permit.owner, "they are one lock");
    assert.equal((await other.inspect("w", { kind: "write" }))?.fence, writer.fence);
    assert.equal(await other.inspect("w", { kind: "election" }), undefined);
    await rejects(other.inspect("w", { kind: 1 as never }), "INVALID_ARGUMENT");
    await lock.acquire("w");
    assert.equal((await other.inspect("w"))?.kind, "lock");
  }),

  benchCase("a force ends the hold of one owner, and leaves the others", "locks 10: forceRelease", async (bench) => {
    const [a, b] = [bench.lock({ ttl: 60_000 }), bench.lock({ ttl: 60_000 })];
    const permits = (at: typeof a) => at.semaphore("s", { permits: 2 });
    const [one, two] = [await permits(a).acquire(), await permits(a).acquire()];
    const waiting = permits(b).acquire();
    await bench.waiting("s", 1, "shared");
    const before = await a.forceRelease("s", "it is stuck", { kind: "semaphore", owner: one.owner });
    assert.equal(before?.owner, one.owner);
    assert.deepEqual([lossOf(one), lossOf(two)], ["forced", undefined]);
    const third = await bench.settle(waiting);
    two.assertHeld();
    assert.equal(await b.forceRelease("s", "again", { kind: "semaphore", owner: one.owner }), undefined);
    assert.deepEqual([lossOf(two), lossOf(third)], [undefined, undefined]);
    const shown = await b.inspect("s", { kind: "semaphore" });
    assert.ok(shown);
    assert.equal((await a.forceRelease(shown.key, "what was shown", shown))?.owner, shown.owner);
    await rejects(a.forceRelease("s", "why", { owner: "" }), "INVALID_ARGUMENT");
    await a.forceRelease("s", "all of them", { kind: "semaphore" });
    assert.equal(await b.inspect("s", { kind: "semaphore" }), undefined);
  }),

  benchCase(
    "a force of an owner that no longer holds the lock leaves the next holder",
    "locks 10: forceRelease",
    (bench) => afterAnother(bench),
  ),

  benchCase("a force ends a leader, who campaigns again", "locks 10: elect", async (bench) => {
    const [a, b] = [bench.lock({ ttl: 6 * bench.unit }), await bench.ready(bench.lock())];
    const led: string[] = [];
    const leading = deferred<void>();
    const election = a.elect("leader", async (lease, signal) => {
      led.push(lease.owner);
      if (led.length === 2) return "again";
      leading.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw signal.reason;
    });
    await bench.settle(leading.promise);
    const before = await b.forceRelease("leader", "it is stuck", { kind: "election" });
    assert.deepEqual([before?.kind, before?.owner], ["election", led[0]]);
    assert.equal(await bench.settle(election), "again");
    assert.notEqual(led[0], led[1]);
  }),

  benchCase(
    "what is stored of a run is told without its value, and forgotten when it is asked for",
    "locks 9: runOnce",
    async (bench) => {
      const lock = bench.lock({ ttl: 60_000 });
      const other = bench.lock();
      const keys: string[] = [];
      const run = (value: string) =>
        lock.runOnce("r", ({ idempotencyKey }) => (keys.push(idempotencyKey), value), { keep: "1h" });
      assert.deepEqual(await run("first"), { value: "first", replayed: false });
      assert.deepEqual(await run("second"), { value: "first", replayed: true });
      const stored = await other.inspect("r", { kind: "result" });
      assert.deepEqual([stored?.kind, stored?.key, stored?.state, stored?.attempt], ["result", "r", "done", 1]);
      assert.ok((stored?.expiresAt ?? 0) > 0);
      assert.equal(await other.inspect("none", { kind: "result" }), undefined);
      assert.deepEqual([await other.forget("r"), await other.forget("r")], [true, false]);
      assert.equal(await other.inspect("r", { kind: "result" }), undefined);
      assert.deepEqual(await run("third"), { value: "third", replayed: false });
      assert.notEqual(keys[0], keys[1], "a new run has a key of its own");
      const failure = new Error("of the application");
      await assert.rejects(
        lock.runOnce(
          "f",
          () => {
            throw failure;
          },
          { keep: "1h" },
        ),
        failure,
      );
      assert.deepEqual(
        [(await other.inspect("f", { kind: "result" }))?.state, await other.forget("f")],
        ["failed", true],
      );
      const [running, over] = [deferred<void>(), deferred<void>()];
      const slow = lock.runOnce(
        "slow",
        async () => {
          running.resolve();
          await over.promise;
        },
        { keep: "1h" },
      );
      await bench.settle(running.promise);
      assert.equal((await other.inspect("slow", { kind: "result" }))?.state, "running");
      assert.equal((await other.inspect("slow", { kind: "runOnce" }))?.kind, "runOnce");
      over.resolve();
      await bench.settle(slow);
      await rejects(other.forget(""), "INVALID_ARGUMENT");
    },
    transacts,
  ),

  benchCase(
    "who waited while a run failed is told, also where an earlier failure was forgotten meanwhile",
    "locks 9: failures",
    async (bench) => {
      const [a, b, c] = [1, 2, 3].map(() => bench.lock({ ttl: 60_000, wait: 60_000 })) as [Lock, Lock, Lock];
      const fail = (): never => {
        throw new Error("of the application");
      };
      await assert.rejects(a.runOnce("r", fail), /of the application/);
      const [leading, over] = [deferred<void>(), deferred<void>()];
      const election = a.elect("r", async () => {
        leading.resolve();
        await over.promise;
      });
      await bench.settle(leading.promise);
      const next = assert.rejects(b.runOnce("r", fail), /of the application/);
      await bench.waiting("r", 1, "once");
      const waiter = rejects(
        c.runOnce("r", () => "run again"),
        "RUN_ONCE_FAILED",
      );
      await bench.waiting("r", 2, "once");
      assert.equal(await c.forget("r"), true);
      over.resolve();
      await bench.settle(Promise.all([election, next, waiter]));
    },
    transacts,
  ),

  benchCase(
    "list tells of hundreds of locks, page by page",
    "locks: list",
    async (bench) => {
      const keys = Array.from({ length: 450 }, (_, i) => `k${i}`);
      const lock = bench.lock({ ttl: 60_000 });
      await Promise.all(keys.map((key) => lock.acquire(key)));
      const found = (await all(bench.lock().list({ kind: "lock" }))).map(({ key }) => key);
      assert.deepEqual(new Set(found), new Set(keys));
    },
    (capabilities) => capabilities.exclusion !== "none" && capabilities.list,
  ),

  benchCase(
    "list shows what is stored of runs, done, failed and running",
    "locks 9: runOnce",
    async (bench) => {
      const lock = bench.lock({ ttl: 60_000 });
      for (const id of ["a", "b"]) await lock.runOnce(id, () => "x".repeat(1_000), { keep: "1h" });
      const found = await all(bench.lock().list({ kind: "result" }));
      assert.deepEqual(byKind(found), ["result a", "result b"]);
      for (const run of found) assert.equal(run.state, "done");
      assert.deepEqual(byKind(await all(bench.lock().list())), ["result a", "result b"]);
    },
    (capabilities) => transacts(capabilities) && capabilities.list,
  ),

  benchCase(
    "where there are no runs, there is nothing to forget: it is refused",
    "locks 9: runOnce",
    async (bench) => {
      await rejects(bench.lock().forget("r"), "UNSUPPORTED");
    },
    (capabilities) => capabilities.guard !== "atomic" || capabilities.transact === "none",
  ),
];

async function afterAnother(bench: Bench): Promise<void> {
  const [a, b] = [bench.lock({ ttl: 60_000 }), bench.lock({ ttl: 60_000 })];
  const first = await a.acquire("k");
  await first.release();
  const next = await bench.settle(b.acquire("k"));
  assert.equal(await a.forceRelease("k", "too late", { owner: first.owner }), undefined);
  next.assertHeld();
  assert.equal((await a.inspect("k"))?.owner, next.owner);
  assert.equal((await a.forceRelease("k", "now", { owner: next.owner }))?.owner, next.owner);
  assert.ok(await a.tryAcquire("k"));
}
