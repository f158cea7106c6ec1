import assert from "node:assert/strict";
import { StateStore } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { benchCase, does, failing, guards, lossOf, rejects, replyLost, valve } from "./bench.ts";

/** Locks that are taken together. */
export const severalCases: readonly Case[] = [
  benchCase("several keys are one lease, under one grant above all others", "locks 8: several keys", async (bench) => {
    const [lock, other] = [bench.lock(), bench.lock()];
    const single = await lock.acquire("b");
    await single.release();
    const lease = await lock.acquire(["b", "a", "b", "c"]);
    assert.deepEqual(lease.keys, ["b", "a", "c"]);
    assert.ok(lease.fence > single.fence);
    for (const key of lease.keys) {
      assert.equal(await other.tryAcquire(key), undefined, key);
      assert.equal((await other.inspect(key))?.fence, lease.fence, key);
    }
    assert.equal(await lease.release(), "released");
    for (const key of ["a", "b", "c"]) {
      const next = await other.acquire(key, { wait: 0 });
      assert.ok(next.fence > lease.fence, "every key's grant was raised");
    }
  }),

  benchCase("a lease on several keys is renewed as a whole", "locks 8: several keys", async (bench) => {
    const lease = await bench.lock({ ttl: 5 * bench.unit }).acquire(["a", "b", "c"]);
    await bench.pass(7);
    lease.assertHeld();
    for (const key of lease.keys) {
      const { holders } = await bench.state(key);
      assert.deepEqual(
        holders.map((holder) => BigInt(holder.grant) << 10n),
        [lease.fence],
      );
    }
  }),

  benchCase("all or none: what one key refuses holds no other", "locks 8: all or none", async (bench) => {
    const [a, b] = [bench.lock({ ttl: 40 * bench.unit }), bench.lock()];
    const lease = await a.acquire("b", { label: "holder" });
    assert.equal(await b.tryAcquire(["a", "b", "c"]), undefined);
    const error = await rejects(bench.settle(b.acquire(["a", "b", "c"], { wait: 2 * bench.unit }), 6), "LOCK_TIMEOUT");
    assert.equal((error as Error & { key: string }).key, "b");
    await bench.calm();
    for (const key of ["a", "c"]) {
      await bench.settle(bench.lock().acquire(key, { wait: bench.unit }), 4);
    }
    assert.deepEqual((await bench.state("b")).waiting, 0);
    await lease.release();
  }),

  benchCase(
    "callers that want the same keys in other orders do not wait in a circle",
    "locks 8: no deadlock",
    async (bench) => {
      const locks = Array.from({ length: 4 }, () => bench.lock({ ttl: 60_000, wait: 60_000 }));
      let inside = 0;
      const orders = [
        ["a", "b", "c"],
        ["c", "b", "a"],
        ["b", "c"],
        ["c", "a"],
      ];
      const runs = locks.flatMap((lock) =>
        orders.map((keys) =>
          lock.run(keys, async () => {
            // Every two of them share a key.
            assert.equal(++inside, 1);
            await bench.calm();
            inside--;
          }),
        ),
      );
      await bench.settle(Promise.all(runs), 60_000 / bench.unit);
    },
  ),

  benchCase("what is held is renewed while the rest is waited for", "locks 8: renewing what is held", async (bench) => {
    const [a, b] = [bench.lock({ ttl: 40 * bench.unit }), bench.lock({ ttl: 7 * bench.unit })];
    const lease = await a.acquire("b");
    const waiting = b.acquire(["a", "b"]);
    await bench.pass(10);
    const [holder] = (await bench.state("a")).holders;
    await lease.release();
    const both = await bench.settle(waiting);
    assert.equal(both.owner, `${holder?.owner}/0`, "it held the first key throughout");
    both.assertHeld();
    assert.ok(both.remainingMs > bench.unit);
  }),

  benchCase(
    "nested calls that wait for each other end, and say that it is this process",
    "locks 8: nested",
    async (bench) => {
      const lock = bench.lock({ ttl: 40 * bench.unit });
      await lock.run("b", async () => {
        const error = await rejects(bench.settle(lock.acquire(["a", "b"], { wait: bench.unit }), 6), "LOCK_TIMEOUT");
        assert.equal((error as Error & { heldByThisProcess: boolean }).heldByThisProcess, true);
      });
      await bench.settle(lock.acquire(["a", "b"]), 6);
    },
  ),

  benchCase(
    "an abort while the rest is waited for releases what is held",
    "locks 7: a cancelled waiter",
    async (bench) => {
      const [a, b] = [bench.lock({ ttl: 40 * bench.unit }), bench.lock()];
      await a.acquire("b");
      const abort = new AbortController();
      const waiting = b.acquire(["a", "b"], { signal: abort.signal });
      waiting.catch(() => undefined);
      await bench.waiting("b", 1);
      abort.abort(new Error("not any more"));
      await assert.rejects(waiting, abort.signal.reason as Error);
      await bench.settle(bench.lock().acquire("a"), 2);
      await bench.nobodyWaits("b");
    },
  ),

  benchCase(
    "an abort ends it at once while a request is under way, and what is granted all the same is released",
    "every call 1: its signal",
    async (bench) => {
      for (const op of ["acquire", "extend"] as const) {
        const keys = [`${op} a`, `${op} b`];
        const gate = valve("late replies", (group) => does(group, op), "reply");
        const instance = bench.instance(gate.fault);
        const abort = new AbortController();
        const waiting = bench.lockOf(instance, { ttl: 60_000 }).acquire(keys, { signal: abort.signal });
        waiting.catch(() => undefined);
        await gate.held;
        abort.abort(new Error("not any more"));
        await assert.rejects(bench.settle(waiting, 1), abort.signal.reason as Error);
        const closing = instance.close(0);
        await bench.calm();
        gate.free();
        await bench.settle(closing);
        for (const key of keys) assert.deepEqual(await bench.state(key), { holders: [], waiting: 0 }, key);
      }
    },
  ),

  benchCase("the wait bounds it while a request is under way", "locks 7: waiting", async (bench) => {
    for (const op of ["acquire", "extend"] as const) {
      const keys = [`${op} a`, `${op} b`];
      const gate = valve("late replies", (group) => does(group, op), "reply");
      const lock = await bench.ready(bench.lock({ ttl: 60_000, timeout: 60_000 }, gate.fault));
      const waiting = lock.acquire(keys, { wait: bench.unit });
      const trying = lock.tryAcquire(keys, { wait: bench.unit });
      waiting.catch(() => undefined);
      await gate.held;
      await rejects(bench.settle(waiting, 4), "LOCK_TIMEOUT");
      assert.equal(await bench.settle(trying, 4), undefined);
      gate.free();
      await bench.settle(bench.lock().acquire(keys), 8);
    }
  }),

  benchCase("a lost reply leaves no key behind", "locks 7: replay-safe", async (bench) => {
    for (const op of ["acquire", "extend"] as const) {
      for (const runs of [true, false]) {
        const lock = bench.lock(
          { ttl: 30_000 },
          failing((group) => does(group, op), replyLost, { runs }),
        );
        const keys = [`${op} ${runs} a`, `${op} ${runs} b`];
        const lease = await bench.settle(lock.acquire(keys));
        for (const key of keys) {
          const { holders } = await bench.state(key);
          assert.deepEqual(
            holders.map((holder) => BigInt(holder.grant) << 10n),
            [lease.fence],
          );
        }
        assert.equal(await lease.release(), "released");
      }
    }
  }),

  benchCase("a force of one key ends the lease and frees the others", "locks 8: one lease", async (bench) => {
    const [lock, other] = [bench.lock({ ttl: 6 * bench.unit }), await bench.ready(bench.lock())];
    const lease = await lock.acquire(["a", "b"]);
    const { signal } = lease;
    await other.forceRelease("b", "the case wants it");
    await bench.until("it is told", () => signal.aborted, 6);
    assert.equal(lossOf(lease), "forced");
    await bench.settle(other.acquire("a"), 4);
  }),

  benchCase(
    "a lease on several keys guards writes as long as it holds all of them",
    "locks 3: a guarded write",
    async (bench) => {
      const instance = bench.instance();
      const store = new StateStore<number>(instance, "values", { service: "conformance" });
      const lease = await bench.lockOf(instance).acquire(["{v}a", "{v}b"]);
      await store.save("v", 1, { lease });
      await bench.lock().forceRelease("{v}b", "the case wants it");
      await rejects(store.save("v", 2, { lease }), "FENCED");
      assert.equal(await store.load("v"), 1);
    },
    guards,
  ),
];
