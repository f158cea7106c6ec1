import assert from "node:assert/strict";
import { memoryBackend } from "../../backends/memory/index.ts";
import { Instance } from "../../client/index.ts";
import { transact, type Transaction } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { books, booksOf, declaring, instanceOn, rejects, storeOn, throws, transacts } from "./client.ts";

/** What a transaction refuses. */
export const transactionRefusalCases: readonly Case[] = [
  {
    title: "a call that failed or was not awaited counts: nothing is committed without it",
    proves: "state 6: all or nothing",
    when: transacts,
    async run(context) {
      const { instance, a } = books(context);
      await a.save("k", 1);
      const error = new Error("of the application");
      const fail = (): never => {
        throw error;
      };
      await assert.rejects(
        transact(instance, (tx) => {
          tx.save(a, "{k}l", 1);
          void tx.update(a, "k", fail);
        }),
        error,
      );
      await transact(instance, (tx) => void tx.update(a, "k", async (n) => n + 1));
      assert.deepEqual([...(await a.loadMany(["k", "{k}l"]))], [["k", 2]]);
      await transact(instance, async (tx) => {
        await Promise.all([tx.update(a, "k", async (n) => n + 1), tx.update(a, "k", async (n) => n + 1)]);
      });
      assert.equal(await a.load("k"), 4, "updates of one key within a transaction do not lose each other");
    },
  },
  {
    title: "a transaction that is over refuses every call",
    proves: "state 6: transact",
    async run(context) {
      const { instance, a } = books(context);
      let late: Transaction | undefined;
      await transact(instance, (tx) => {
        late = tx;
      });
      const tx = late as Transaction;
      throws(() => tx.save(a, "k", 1), "INVALID_ARGUMENT");
      throws(() => tx.delete(a, "k"), "INVALID_ARGUMENT");
      await rejects(tx.load(a, "k"), "INVALID_ARGUMENT");
      await rejects(tx.loadMany(a, ["k"]), "INVALID_ARGUMENT");
      await rejects(
        tx.update(a, "k", () => 1),
        "INVALID_ARGUMENT",
      );
      assert.equal(await a.load("k"), undefined);
    },
  },
  {
    title: "bad input inside is refused and nothing is committed",
    proves: "every call 4: bad input",
    async run(context) {
      const { instance, a } = books(context);
      const foreign = storeOn<number>(new Instance(memoryBackend({})));
      const wrong: readonly (readonly [string, (tx: Transaction) => unknown])[] = [
        ["a store of another backend", (tx) => tx.save(foreign, "k", 1)],
        ["a read of another backend", async (tx) => tx.load(foreign, "k")],
        ["no store", (tx) => tx.save({} as typeof a, "k", 1)],
        ["an empty key", (tx) => tx.save(a, "", 1)],
        ["a condition of its own", (tx) => tx.save(a, "k", 1, { if: { absent: true } } as object)],
        ["a ttl of nothing", (tx) => tx.save(a, "k", 1, { ttl: 0 })],
        ["an update to undefined", async (tx) => tx.upsert(a, "k", () => undefined as unknown as number)],
        ["an update that writes its own key", (tx) => tx.upsert(a, "k", async () => (tx.save(a, "k", 1), 2))],
      ];
      for (const [what, work] of wrong) {
        const run = transact(instance, async (tx) => {
          tx.save(a, "before", 1);
          await work(tx);
        });
        await rejects(run, "INVALID_ARGUMENT", what);
      }
      await rejects(transact(instance, "fn" as never), "INVALID_ARGUMENT");
      await rejects(
        transact(instance, () => 1, { lease: undefined } as object),
        "INVALID_ARGUMENT",
      );
      assert.equal((await a.loadMany(["before", "k"])).size, 0);
    },
  },
  {
    title: "where groups are not declared, several keys are refused before anything is written, one key is not",
    proves: "state 6: else UnsupportedError",
    async run(context) {
      const { instance, a, b } = booksOf(instanceOn(declaring(context.place.backend(), { transact: "none" })));
      await rejects(
        transact(instance, (tx) => {
          tx.save(a, "k", 1);
          tx.save(b, "k", 1);
        }),
        "UNSUPPORTED",
      );
      await rejects(
        transact(instance, async (tx) => tx.save(a, "k", (await tx.load(a, "l")) ?? 0)),
        "UNSUPPORTED",
      );
      assert.deepEqual([await a.load("k"), await b.load("k")], [undefined, undefined]);
      await transact(instance, async (tx) => tx.upsert(a, "k", (n) => (n ?? 0) + 1));
    },
  },
  {
    title: "where keys of one tag go together, others are refused before anything is written",
    proves: "state 6: slot",
    when: (capabilities) => capabilities.transact !== "none",
    async run(context) {
      const { instance, a, b } = booksOf(instanceOn(declaring(context.place.backend(), { transact: "slot" })));
      const write = async (...keys: readonly string[]): Promise<void> =>
        transact(instance, (tx) => {
          for (const key of keys) tx.save(a, key, 1);
        });
      for (const keys of [
        ["{t}1", "{u}1"],
        ["{t}1", "t1"],
        ["a", "b"],
        ["{}a", "{}b"],
        ["x{t", "y{t"],
      ]) {
        await rejects(write(...keys), "UNSUPPORTED", keys.join());
        assert.equal((await a.loadMany(keys)).size, 0);
      }
      await write("{t}1", "x{t}2", "t");
      await transact(instance, (tx) => {
        tx.save(a, "same", 1);
        tx.save(b, "same", 1);
      });
    },
  },
  {
    title: "more keys than a group takes are refused before anything is written",
    proves: "capabilities: maxGroup",
    async run(context) {
      const { instance, a } = booksOf(instanceOn(declaring(context.place.backend(), { maxGroup: 3 })));
      const write = async (count: number): Promise<void> =>
        transact(instance, (tx) => {
          for (let i = 0; i < count; i++) tx.save(a, `{k}${i}`, 1);
        });
      await rejects(write(4), "UNSUPPORTED");
      assert.equal((await a.loadMany(["{k}0", "{k}3"])).size, 0);
      if (transacts(context.capabilities)) await write(3);
    },
  },
];
