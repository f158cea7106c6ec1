import assert from "node:assert/strict";
import { deferred } from "../../base/async.ts";
import { StateStore } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { benchCase, does, failing, guards, lossOf, rejects, replyLost, transacts, valve } from "./bench.ts";

/** Runs that fail, or do not end. */
export const runFailureCases: readonly Case[] = [
  benchCase(
    "who waited while it failed is told, who comes later runs it again",
    "locks 9: failures",
    async (bench) => {
      const [a, b] = [bench.lock({ ttl: 60_000, wait: 60_000 }), bench.lock({ ttl: 60_000, wait: 60_000 })];
      const started = deferred<void>();
      const fail = deferred<void>();
      const own = Object.assign(new TypeError("no such account"), { code: "E_ACCOUNT" });
      const keys: string[] = [];
      const first = a.runOnce("id", async ({ idempotencyKey, attempt }) => {
        assert.equal(attempt, 1);
        keys.push(idempotencyKey);
        started.resolve();
        await fail.promise;
        throw own;
      });
      first.catch(() => undefined);
      await started.promise;
      const waiters = [a, b, b].map((lock) => lock.runOnce("id", () => assert.fail("it must not run")));
      for (const waiter of waiters) waiter.catch(() => undefined);
      await bench.waiting("id", 1, "once");
      await bench.pass(1 / 2);
      fail.resolve();
      await assert.rejects(bench.settle(first), own);
      for (const waiter of waiters) {
        const error = (await rejects(bench.settle(waiter), "RUN_ONCE_FAILED")) as Error & { failure: unknown };
        assert.deepEqual(error.failure, { name: "TypeError", message: "no such account", code: "E_ACCOUNT" });
      }
      const again = await b.runOnce("id", ({ idempotencyKey, attempt }) => {
        keys.push(idempotencyKey);
        return attempt;
      });
      assert.deepEqual(again, { value: 2, replayed: false });
      assert.equal(keys[0], keys[1], "one key for all attempts");
    },
    guards,
  ),

  benchCase(
    "after a run that did not end it runs again, or fails, as told",
    "locks 9: onCrash",
    async (bench) => {
      for (const onCrash of ["again", "fail"] as const) {
        const id = `id ${onCrash}`;
        const paused = bench.lock({ renew: false, ttl: 2 * bench.unit });
        const next = bench.lock();
        const goOn = deferred<void>();
        const keys: string[] = [];
        // Its lease ends while it runs, as if its process had died.
        const first = paused.runOnce(
          id,
          async ({ idempotencyKey, signal }) => {
            keys.push(idempotencyKey);
            await goOn.promise;
            assert.equal(signal.aborted, true);
            return "late";
          },
          { onCrash },
        );
        first.catch(() => undefined);
        await bench.pass(2.5);
        const second = next.runOnce(id, ({ idempotencyKey, attempt }) => {
          keys.push(idempotencyKey);
          return attempt;
        });
        if (onCrash === "again") {
          assert.deepEqual(await bench.settle(second), { value: 2, replayed: false });
          assert.equal(keys[0], keys[1]);
        } else {
          await rejects(bench.settle(second), "INDETERMINATE");
          await rejects(
            next.runOnce(id, () => assert.fail("it must not run")),
            "INDETERMINATE",
          );
        }
        goOn.resolve();
        await rejects(bench.settle(first), "FENCED");
      }
    },
    guards,
  ),

  benchCase(
    "a run whose result may have been stored is not taken for failed",
    "locks 9: onCrash",
    async (bench) => {
      let stored = 0;
      const lock = bench.lock(
        {},
        failing((group) => does(group, "set") && ++stored === 2, replyLost),
      );
      await rejects(bench.settle(lock.runOnce("id", () => 7, { onCrash: "fail" })), "INDETERMINATE");
      await rejects(bench.settle(lock.runOnce("id", () => 8)), "INDETERMINATE");
      assert.equal(stored, 2);
    },
    guards,
  ),

  benchCase(
    "nothing of a run is stored once its lease was lost",
    "locks 9: under its lease",
    async (bench) => {
      const instance = bench.instance();
      const store = new StateStore<number>(instance, "values", { service: "conformance" });
      const lock = bench.transactingLock(instance);
      await rejects(
        lock.runOnce(
          "{v}id",
          async ({ tx, lease }) => {
            tx.save(store, "v", 1);
            await bench.behind([{ op: "steal", lock: bench.key("{v}id", "once") }]);
            assert.equal(lossOf(lease), undefined, "it does not know yet");
            return 1;
          },
          { ttl: 60_000 }, // no renewal finds out
        ),
        "FENCED",
      );
      assert.equal(await store.load("v"), undefined);
      assert.deepEqual(await lock.runOnce("{v}id", ({ attempt }) => attempt), { value: 2, replayed: false });
    },
    transacts,
  ),

  benchCase(
    "an abort or the wait ends a run at once that did not begin yet, while the store is asked",
    "every call 1: its signal",
    async (bench) => {
      for (const op of ["get", "acquire"] as const) {
        const gate = valve("late replies", (group) => does(group, op), "reply");
        const lock = await bench.ready(bench.lock({ ttl: 60_000, timeout: 60_000 }, gate.fault));
        const abort = new AbortController();
        const fn = (): never => assert.fail("it must not run");
        const aborted = lock.runOnce(op, fn, { signal: abort.signal, wait: 60_000 });
        const late = lock.runOnce(op, fn, { wait: bench.unit });
        for (const call of [aborted, late]) call.catch(() => undefined);
        await gate.held;
        abort.abort(new Error("not any more"));
        await assert.rejects(bench.settle(aborted, 1), abort.signal.reason as Error);
        await rejects(bench.settle(late, 4), "LOCK_TIMEOUT");
        gate.free();
        assert.deepEqual(await bench.settle(bench.lock().runOnce(op, () => 7)), { value: 7, replayed: false });
      }
    },
    guards,
  ),

  benchCase(
    "an error whose message is no text is the run's own all the same",
    "locks 9: fails as the function does",
    async (bench) => {
      const lock = bench.lock();
      const own = Object.assign(new Error("overwritten"), { message: undefined, name: 7 });
      await assert.rejects(
        bench.settle(lock.runOnce("id", () => Promise.reject(own), { onCrash: "fail" })),
        (error) => error === own,
      );
      assert.deepEqual(await bench.settle(lock.runOnce("id", () => 7)), { value: 7, replayed: false });
    },
    guards,
  ),
];
