import assert from "node:assert/strict";
import { deferred } from "../../base/async.ts";
import { space } from "../../base/keys.ts";
import { StateStore, type Transaction } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { benchCase, does, failing, guards, rejects, replyLost, transacts } from "./bench.ts";

/** Runs that happen once. */
export const runCases: readonly Case[] = [
  benchCase(
    "a result is given to all who ask, of every instance",
    "locks 9: runOnce",
    async (bench) => {
      const [a, b] = [bench.lock({ ttl: 60_000, wait: 60_000 }), bench.lock({ ttl: 60_000, wait: 60_000 })];
      let runs = 0;
      const fn = async (): Promise<object> => {
        runs++;
        await bench.calm();
        return { at: new Date(7), big: 7n };
      };
      const calls = [a, b, a, b, a].map((lock) => lock.runOnce("id", fn));
      const results = await bench.settle(Promise.all(calls), 400);
      results.push(await b.runOnce("id", fn));
      assert.equal(runs, 1);
      assert.equal(results.filter(({ replayed }) => !replayed).length, 1);
      for (const { value } of results) assert.deepEqual(value, { at: new Date(7), big: 7n });
    },
    guards,
  ),

  benchCase(
    "undefined is a result",
    "locks 9: undefined",
    async (bench) => {
      const lock = bench.lock();
      assert.deepEqual(await lock.runOnce("id", () => undefined), { value: undefined, replayed: false });
      assert.deepEqual(await lock.runOnce("id", () => 7 as never), { value: undefined, replayed: true });
    },
    guards,
  ),

  benchCase(
    "a result is kept from its completion on, and no longer",
    "locks 9: keep",
    async (bench) => {
      const lock = bench.lock({ ttl: 40 * bench.unit });
      let runs = 0;
      const fn = async (): Promise<number> => {
        await bench.pass(1.5);
        return ++runs;
      };
      const keep = 2 * bench.unit;
      assert.equal((await lock.runOnce("id", fn, { keep })).value, 1);
      await bench.pass(1);
      assert.deepEqual(await lock.runOnce("id", fn, { keep }), { value: 1, replayed: true });
      await bench.pass(2);
      assert.deepEqual(await lock.runOnce("id", fn, { keep }), { value: 2, replayed: false });
    },
    guards,
  ),

  benchCase(
    "a result that cannot be stored counts as done",
    "locks 9: cannot be stored",
    async (bench) => {
      const [a, b] = [bench.lock(), bench.lock()];
      let runs = 0;
      const fn = (): unknown => {
        runs++;
        return { deep: [() => 1] };
      };
      const first = await rejects(a.runOnce("id", fn), "UNSUPPORTED_VALUE");
      const second = await rejects(b.runOnce("id", fn), "UNSUPPORTED_VALUE");
      assert.equal((first as Error & { path: string }).path, "$.deep[0]");
      assert.equal((second as Error & { path: string }).path, "$.deep[0]");
      assert.equal(runs, 1);
    },
    guards,
  ),

  benchCase(
    "what its function writes through tx commits with the result, or not at all",
    "locks 9: tx",
    async (bench) => {
      const instance = bench.instance();
      const store = new StateStore<number>(instance, "values", { service: "conformance" });
      const lock = bench.transactingLock(instance);
      const fn = async ({ tx }: { tx: Transaction }): Promise<string> => {
        tx.save(store, "v", ((await tx.load(store, "v")) ?? 0) + 1);
        assert.equal(await store.load("v"), undefined, "held back");
        return "paid";
      };
      assert.deepEqual(await lock.runOnce("{v}id", fn), { value: "paid", replayed: false });
      assert.deepEqual(await lock.runOnce("{v}id", fn), { value: "paid", replayed: true });
      assert.equal(await store.load("v"), 1);
      await assert.rejects(
        lock.runOnce("{v}failing", ({ tx }) => {
          tx.save(store, "v", 100);
          throw new Error("after all not");
        }),
        /after all not/,
      );
      assert.equal(await store.load("v"), 1);
      await rejects(
        lock.runOnce("{v}unstorable", ({ tx }) => {
          tx.save(store, "v", 2);
          return Symbol("no value");
        }),
        "UNSUPPORTED_VALUE",
      );
      assert.equal(await store.load("v"), 2, "it counts as done");
    },
    transacts,
  ),

  benchCase(
    "a result whose reply was lost is found again",
    "every call 2: own id",
    async (bench) => {
      const results = space("result", "conformance", "locks");
      let stored = 0;
      const lost = failing((group) => does(group, "set") && ++stored === 2, replyLost, { runs: true });
      const lock = bench.lock({}, lost);
      assert.deepEqual(await bench.settle(lock.runOnce("id", () => 7)), { value: 7, replayed: false });
      assert.deepEqual(await lock.runOnce("id", () => 8), { value: 7, replayed: true });
      const found = await bench.behind([{ op: "get", key: { space: results, key: "id" } }]);
      assert.ok(found.ok && found.results[0]);
    },
    guards,
  ),

  benchCase(
    "who waits too long for a run is told so",
    "locks 9: wait",
    async (bench) => {
      const lock = bench.lock({ ttl: 60_000 });
      const end = deferred<number>();
      const started = deferred<void>();
      const first = lock.runOnce("id", () => {
        started.resolve();
        return end.promise;
      });
      await started.promise;
      await rejects(
        bench.settle(
          lock.runOnce("id", () => 8, { wait: bench.unit }),
          4,
        ),
        "LOCK_TIMEOUT",
      );
      await rejects(
        lock.runOnce("id", () => 8, { wait: 0 }),
        "LOCK_TIMEOUT",
      );
      end.resolve(7);
      assert.equal((await bench.settle(first)).value, 7);
    },
    guards,
  ),

  benchCase(
    "where a lease cannot be checked with a write, runOnce is refused",
    "capabilities: runOnce",
    async (bench) => {
      await rejects(
        bench.lock().runOnce("id", () => assert.fail("it must not run")),
        "UNSUPPORTED",
      );
    },
    (capabilities) => capabilities.guard !== "atomic" || capabilities.transact === "none",
  ),
];
