import assert from "node:assert/strict";
import { deferred } from "../../base/async.ts";
import { UnavailableError } from "../../base/errors.ts";
import type { Lease, Lock } from "../../lock/index.ts";
import { StateStore, transactionFactory, type Transaction } from "../../state/index.ts";
import type { Group, Outcome } from "../../port/index.ts";
import type { Fault } from "../misbehave.ts";
import type { Case } from "../suite.ts";
import { type Bench, benchCase, does, lossOf, rejects, transacts } from "./bench.ts";

/**
 * A store that was reached and refuses what `stops` names, as one that is read-only or loading does, until it is told
 * to go on.
 */
function refusing(stops: (group: Group) => boolean, from: "at once" | "later" = "at once") {
  let refuses = from === "at once";
  let count = 0;
  const underWay = new Set<Promise<Outcome>>();
  const error = new UnavailableError("the store is read-only", { refused: true });
  const outcome: Outcome = { ok: false, why: "failed", sent: false, error };
  const fault: Fault = {
    name: "refuses",
    async group(group, next) {
      if (!stops(group)) return next(group);
      if (refuses) {
        count++;
        return outcome;
      }
      const passed = next(group);
      underWay.add(passed);
      return passed.finally(() => underWay.delete(passed));
    },
  };
  return {
    fault,
    count: () => count,
    begin: () => (refuses = true),
    /** Resolves when nothing is under way any more that passed before it began. */
    passed: async () => Promise.all(underWay),
    end: () => (refuses = false),
  };
}

/** Asserts that a call waits for much longer than its timeout while the store refuses, and settles soon after that. */
async function waitsFor<T>(bench: Bench, store: ReturnType<typeof refusing>, call: Promise<T>): Promise<T> {
  call.catch(() => undefined);
  await bench.until("it is refused", () => store.count() > 0);
  let settled = false;
  const note = (): void => void (settled = true);
  call.then(note, note);
  await bench.pass(5);
  assert.equal(settled, false, "it waits");
  assert.ok(store.count() > 3, "it asks again and again");
  store.end();
  // The longest pause is half a second.
  return bench.settle(call, 4 + 600 / bench.unit);
}

const acquires = (group: Group): boolean => does(group, "acquire");
const any = (): boolean => true;

/** What becomes of calls that the store refuses for a while. Timeouts are shorter than that while. */
export const refusingCases: readonly Case[] = [
  benchCase("who waits for a lock waits for a store that refuses", "locks 7: waiting", async (bench) => {
    const waits = { wait: 600_000 };
    const release = async (lease: Lease | undefined): Promise<unknown> => lease?.release();
    const ways: Record<string, (lock: Lock) => Promise<unknown>> = {
      acquire: async (lock) => lock.acquire("a", waits).then(release),
      several: async (lock) => lock.acquire(["b", "c"], waits).then(release),
      semaphore: async (lock) => lock.semaphore("s", { permits: 2 }).acquire(waits).then(release),
      tryAcquire: async (lock) => lock.tryAcquire("d", waits).then(release),
      elect: async (lock) => lock.elect("leader", () => "released"),
    };
    await Promise.all(
      Object.entries(ways).map(async ([name, way]) => {
        const store = refusing(acquires);
        const lock = await bench.ready(bench.lock({ timeout: 2 * bench.unit }, store.fault));
        assert.equal(await waitsFor(bench, store, way(lock)), "released", name);
      }),
    );
  }),

  benchCase(
    "a wait that ends while the store refuses ends with what it said, and a try at once",
    "locks 7: waiting",
    async (bench) => {
      const store = refusing(acquires);
      const lock = await bench.ready(bench.lock({}, store.fault));
      const errors = [
        lock.acquire("k", { wait: 2 * bench.unit }),
        lock.tryAcquire("k", { wait: 2 * bench.unit }),
        lock.acquire(["a", "b"], { wait: 2 * bench.unit }),
      ].map(async (call) => rejects(call, "UNAVAILABLE"));
      for (const error of await bench.settle(Promise.all(errors), 6)) {
        assert.equal((error as UnavailableError).refused, true);
      }
      const waiter = lock.acquire("k", { wait: 60_000 });
      await rejects(bench.settle(lock.tryAcquire("k"), 1 + 600 / bench.unit), "UNAVAILABLE");
      await rejects(bench.settle(lock.tryAcquire(["k", "l"]), 1), "UNAVAILABLE");
      store.end();
      await (await bench.settle(waiter, 4 + 600 / bench.unit)).release();
    },
  ),

  benchCase("a waiter whose refresh is refused waits on", "locks 7: waiting", async (bench) => {
    const store = refusing(acquires, "later");
    const held = await bench.lock({ ttl: 60_000 }).acquire("k");
    const lock = await bench.ready(bench.lock({ wait: 60_000, timeout: 2 * bench.unit }, store.fault));
    // Not one that begins under its claim, without asking.
    const waiting = lock.acquire("k", { renew: false });
    await bench.waiting("k", 1);
    store.begin();
    // A refresh that is under way may be granted what is released.
    await bench.settle(store.passed());
    await held.release();
    await (await waitsFor(bench, store, waiting)).release();
  }),

  benchCase("a release that is refused goes on after its timeout", "locks 6: release", async (bench) => {
    const both = [["j"], ["k", "l"]].map(async (keys) => {
      const store = refusing((group) => does(group, "release"), "later");
      const instance = bench.instance(store.fault);
      let failed = 0;
      instance.events.on("releaseFailed", () => void failed++);
      const lock = await bench.ready(bench.lockOf(instance, { ttl: 60_000, timeout: 2 * bench.unit }));
      const lease = await lock.acquire(keys);
      store.begin();
      assert.equal(await bench.settle(lease.release(), 4), "unknown");
      assert.equal(failed, keys.length);
      await bench.pass(2);
      store.end();
      await bench.settle(bench.lock().acquire(keys), 12);
    });
    await Promise.all(both);
  }),

  benchCase(
    "what an acquire leaves behind is released when the store can do it",
    "locks 7: no ghost",
    async (bench) => {
      const store = refusing((group) => does(group, "release"), "later");
      const held = await bench.lock({ ttl: 60_000 }).acquire("k");
      const abort = new AbortController();
      const lock = await bench.ready(bench.lock({ ttl: 60_000, timeout: 2 * bench.unit }, store.fault));
      const waiting = lock.acquire("k", { wait: 60_000, signal: abort.signal });
      await bench.waiting("k", 1);
      store.begin();
      abort.abort(new Error("not any more"));
      await assert.rejects(bench.settle(waiting), abort.signal.reason as Error);
      // It is granted the lock all the same, while its release is refused.
      await held.release();
      store.end();
      await bench.settle(bench.lock().acquire("k"), 20);
    },
  ),

  benchCase("a renewal that is refused is made again until the lease ends", "locks 6: renewal", async (bench) => {
    const store = refusing((group) => does(group, "extend"));
    const lock = bench.lock({ ttl: 6 * bench.unit }, store.fault);
    const lease = await lock.acquire("k");
    await bench.until("it is refused", () => store.count() > 2, 6);
    store.end();
    await bench.pass(7);
    lease.assertHeld();
    const lost = await lock.acquire("lost");
    store.begin();
    await bench.until("it is lost", () => lossOf(lost) === "expired", 8);
  }),

  benchCase(
    "an extension before a local hand-off waits for the store, and so does one that was asked for",
    "locks 4: local hand-off",
    async (bench) => {
      const store = refusing((group) => does(group, "extend") || group.guards !== undefined, "later");
      const lock = bench.lock({ ttl: 20 * bench.unit, wait: 60_000, timeout: 40 * bench.unit }, store.fault);
      const held = await bench.lock({ ttl: 60_000 }).acquire("k");
      const [current, next] = [lock.acquire("k", { renew: false }), lock.acquire("k", { renew: false })];
      await bench.waiting("k", 1);
      await held.release();
      const first = await bench.settle(current);
      store.begin();
      await first.release();
      const second = await waitsFor(bench, store, next);
      assert.equal(second.fence, first.fence + 1n, "under the same grant");
      store.begin();
      await waitsFor(bench, store, second.extend());
      assert.equal(await second.release(), "released");
    },
  ),

  benchCase("forceRelease, and the raise of several grants, wait for the store", "locks 8: several", async (bench) => {
    const held = await bench.lock({ ttl: 60_000 }).acquire("k");
    const stealing = refusing((group) => does(group, "steal"));
    const lock = bench.lock({}, stealing.fault);
    const forcing = lock.forceRelease("k", "because", { timeout: 40 * bench.unit });
    const holder = await waitsFor(bench, stealing, forcing);
    assert.equal(holder?.owner, held.owner);
    const raising = refusing((group) => does(group, "extend"));
    const several = bench.lock({ ttl: 60_000, timeout: 40 * bench.unit }, raising.fault);
    (await waitsFor(bench, raising, several.acquire(["a", "b"]))).assertHeld();
  }),

  benchCase(
    "a run waits for a store that refuses: to begin, and to record what it did",
    "locks 9: runOnce",
    async (bench) => {
      const begins = refusing(any, "later");
      const beginning = await bench.ready(bench.lock({ wait: 60_000, timeout: 2 * bench.unit }, begins.fault));
      begins.begin();
      const waiting = beginning.runOnce("begins", ({ attempt }) => attempt);
      assert.deepEqual(await waitsFor(bench, begins, waiting), { value: 1, replayed: false });

      const ways = (["result", "commit", "tx"] as const).map(async (way) => {
        const value = `{v}value of ${way}`;
        const store = refusing((group) => does(group, "set"), "later");
        const instance = bench.instance(store.fault);
        const values = new StateStore<number>(instance, "values", { service: "conformance" });
        const transactions = transactionFactory(instance);
        const lock = await bench.ready(
          bench.lockOf<Transaction>(instance, { ttl: 60_000, timeout: 2 * bench.unit, transactions }),
        );
        const ran = deferred<void>();
        const run = lock.runOnce(
          `{v}${way}`,
          (context) => {
            if (way === "tx") context.tx.save(values, value, 7);
            store.begin();
            ran.resolve();
            return 7;
          },
          way === "commit" ? { commit: (tx) => tx.save(values, value, 7) } : {},
        );
        run.catch(() => undefined);
        await bench.settle(ran.promise);
        assert.deepEqual(await waitsFor(bench, store, run), { value: 7, replayed: false });
        if (way !== "result") assert.equal(await values.load(value), 7);
      });
      await Promise.all(ways);
    },
    transacts,
  ),
];
