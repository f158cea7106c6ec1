import assert from "node:assert/strict";
import { deferred } from "../../base/async.ts";
import { StateStore, type Transaction } from "../../state/index.ts";
import type { Lock } from "../../lock/index.ts";
import type { Group } from "../../port/index.ts";
import type { Case } from "../suite.ts";
import { type Bench, benchCase, does, failing, notSent, rejects, replyLost, transacts } from "./bench.ts";

/** An account, and locks of instances of their own whose runs can pay into it. */
function accounts(bench: Bench, count = 2) {
  const stands = Array.from({ length: count }, () => {
    const instance = bench.instance();
    const store = new StateStore<number>(instance, "accounts", { service: "conformance" });
    return { lock: bench.transactingLock(instance), store };
  });
  const [{ store }] = stands as [(typeof stands)[number]];
  return {
    locks: stands.map(({ lock }) => lock),
    /** Pays `amount` in. */
    pay: async (tx: Transaction, amount: number): Promise<void> => {
      tx.save(store, "{v}", ((await tx.load(store, "{v}")) ?? 0) + amount);
    },
    /** What somebody else pays in. */
    payBeside: async (amount: number): Promise<void> => void (await store.upsert("{v}", (n) => (n ?? 0) + amount)),
    balance: async (): Promise<number> => (await store.load("{v}")) ?? 0,
  };
}

const never = (): never => assert.fail("it must not run");
const nothing = (): undefined => undefined;

/** Runs whose results are recorded by a function of their own. */
export const commitCases: readonly Case[] = [
  benchCase(
    "what several runs record of one entry at once is retried, and their functions run once",
    "locks 9: commit",
    async (bench) => {
      const { locks, pay, balance } = accounts(bench, 3);
      const all = deferred<void>();
      let runs = 0;
      let read = 0;
      let tries = 0;
      const payments = locks.map((lock, i) =>
        lock.runOnce(`{v}${i}`, () => `charge ${++runs}`, {
          async commit(tx) {
            tries++;
            await pay(tx, 10);
            if (++read === 3) all.resolve();
            await all.promise;
          },
        }),
      );
      const results = await bench.settle(Promise.all(payments));
      assert.deepEqual(results.map(({ value }) => value).toSorted(), ["charge 1", "charge 2", "charge 3"]);
      assert.equal(runs, 3);
      assert.ok(tries > 3, "there were conflicts");
      assert.equal(await balance(), 30);
      const [first] = locks as [Lock<Transaction>];
      assert.equal((await first.runOnce("{v}0", never, { commit: never })).replayed, true);
    },
    transacts,
  ),

  benchCase(
    "a commit that fails is made by a later call, and the function does not run again",
    "locks 9: commit",
    async (bench) => {
      const { locks, pay, balance } = accounts(bench);
      const [a, b] = locks as [Lock<Transaction>, Lock<Transaction>];
      const started = deferred<void>();
      const fail = deferred<void>();
      const own = new TypeError("no such account");
      const first = a.runOnce("{v}id", () => ({ at: new Date(7) }), {
        async commit(tx) {
          await pay(tx, 100);
          started.resolve();
          await fail.promise;
          throw own;
        },
      });
      first.catch(() => undefined);
      await started.promise;
      const waiter = b.runOnce("{v}id", never, { commit: never });
      waiter.catch(() => undefined);
      await bench.waiting("{v}id", 1, "once");
      fail.resolve();
      await assert.rejects(bench.settle(first), (error) => error === own);
      const told = (await rejects(bench.settle(waiter), "RUN_ONCE_FAILED")) as Error & { failure: { name: string } };
      assert.equal(told.failure.name, "TypeError");
      assert.equal(await balance(), 0);
      // It would lose what was to be recorded.
      await rejects(b.runOnce("{v}id", never), "INVALID_ARGUMENT");
      const again = await b.runOnce("{v}id", never, {
        async commit(tx, value) {
          assert.deepEqual(value, { at: new Date(7) });
          await pay(tx, 10);
        },
      });
      assert.deepEqual(again, { value: { at: new Date(7) }, replayed: true });
      assert.equal(await balance(), 10);
      assert.deepEqual(await a.runOnce("{v}id", never, { commit: never }), again);
    },
    transacts,
  ),

  benchCase(
    "conflicts that do not end, and an abort, end a commit: its result is kept",
    "locks 9: commit",
    async (bench) => {
      const { locks, pay, payBeside, balance } = accounts(bench);
      const [a, b] = locks as [Lock<Transaction>, Lock<Transaction>];
      let tries = 0;
      await rejects(
        bench.settle(
          a.runOnce("{v}id", () => 7, {
            timeout: 8 * bench.unit,
            ttl: 60_000,
            async commit(tx) {
              tries++;
              await pay(tx, 100);
              await payBeside(1);
              await bench.pass(2);
            },
          }),
        ),
        "CONFLICT",
      );
      assert.ok(tries > 1, "it was retried");
      assert.equal(await balance(), tries);
      const abort = new AbortController();
      const aborted = b.runOnce("{v}id", never, {
        signal: abort.signal,
        async commit(tx) {
          await pay(tx, 100);
          abort.abort(new Error("not any more"));
          await new Promise(nothing);
        },
      });
      await assert.rejects(bench.settle(aborted), abort.signal.reason as Error);
      assert.equal(await balance(), tries);
      const last = await b.runOnce("{v}id", never, { commit: async (tx) => pay(tx, 10) });
      assert.deepEqual(last, { value: 7, replayed: true });
      assert.equal(await balance(), tries + 10);
    },
    transacts,
  ),

  benchCase(
    "a commit whose lease was lost writes nothing, and counts as a crash",
    "locks 9: commit",
    async (bench) => {
      const { locks, pay, balance } = accounts(bench);
      const [a, b] = locks as [Lock<Transaction>, Lock<Transaction>];
      for (const onCrash of ["again", "fail"] as const) {
        const id = `{v}${onCrash}`;
        const lost = a.runOnce(id, ({ attempt }) => attempt, {
          onCrash,
          async commit(tx) {
            await pay(tx, 100);
            await bench.behind([{ op: "steal", lock: bench.key(id, "once") }]);
          },
        });
        await rejects(bench.settle(lost), "FENCED");
        assert.equal(await balance(), 0);
        if (onCrash === "fail") await rejects(b.runOnce(id, never, { commit: never }), "INDETERMINATE");
        else assert.equal((await b.runOnce(id, ({ attempt }) => attempt, { commit: nothing })).value, 2);
      }
      // Its own clock tells it, while it commits.
      const late = a.runOnce("{v}late", () => 7, {
        ttl: 2 * bench.unit,
        renew: false,
        commit: async () => new Promise<void>(nothing),
      });
      await rejects(bench.settle(late), "FENCED");
    },
    transacts,
  ),

  benchCase(
    "what is recorded of a result that cannot be stored is recorded",
    "locks 9: cannot be stored",
    async (bench) => {
      const { locks, pay, balance } = accounts(bench);
      const [a, b] = locks as [Lock<Transaction>, Lock<Transaction>];
      const commit = async (tx: Transaction, value: unknown): Promise<void> => {
        assert.equal(typeof value, "symbol");
        await pay(tx, 10);
      };
      await rejects(
        a.runOnce("{v}done", () => Symbol("no value"), { commit }),
        "UNSUPPORTED_VALUE",
      );
      await rejects(b.runOnce("{v}done", never, { commit: never }), "UNSUPPORTED_VALUE");
      assert.equal(await balance(), 10);
      // There is nothing that a later call could commit.
      const own = new Error("no such account");
      const refuses = async (): Promise<void> => Promise.reject(own);
      for (const onCrash of ["again", "fail"] as const) {
        const options = { onCrash, commit: refuses };
        await assert.rejects(
          a.runOnce(`{v}${onCrash}`, () => Symbol("no value"), options),
          own,
        );
      }
      assert.equal((await b.runOnce("{v}again", ({ attempt }) => attempt, { commit: nothing })).value, 2);
      await rejects(b.runOnce("{v}fail", never, { commit: never }), "INDETERMINATE");
    },
    transacts,
  ),

  benchCase(
    "the function of a run that commits has no tx, and a lock without transactions refuses it early",
    "locks 9: commit",
    async (bench) => {
      const { locks } = accounts(bench, 1);
      const [lock] = locks as [Lock<Transaction>];
      await rejects(
        lock.runOnce("{v}id", ({ tx }) => tx, { commit: never }),
        "INVALID_ARGUMENT",
      );
      await rejects(lock.runOnce("{v}id", never, { commit: 7 as never }), "INVALID_ARGUMENT");
      await rejects(bench.lock().runOnce("{v}other", never, { commit: never }), "UNSUPPORTED");
    },
    transacts,
  ),

  benchCase(
    "a run that could not begin has not begun",
    "locks 9: onCrash",
    async (bench) => {
      for (const code of ["UNAVAILABLE", "INDETERMINATE"] as const) {
        let began = false;
        const id = `id ${code}`;
        // What it was to begin with is stored, and neither that is told nor what was asked of it. An extension passes.
        const asks = (group: Group): boolean => (began ? does(group, "get") : (began = does(group, "set")));
        const lost = failing(asks, replyLost, { times: 2, runs: true });
        const refused = failing((group) => does(group, "set"), notSent);
        const lock = bench.lock({}, code === "INDETERMINATE" ? lost : refused);
        await rejects(bench.settle(lock.runOnce(id, never, { onCrash: "fail" })), code);
        const next = bench.lock().runOnce(id, ({ attempt }) => attempt, { onCrash: "fail" });
        assert.equal((await bench.settle(next)).value, code === "INDETERMINATE" ? 2 : 1);
      }
    },
    transacts,
  ),
];
