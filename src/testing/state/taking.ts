import assert from "node:assert/strict";
import { transact } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { books, guards, instanceOf, keeps, leaseOf, rejects, storeOf, storeOn, times, transacts } from "./client.ts";

/** What was there, deleted in one step. */
export const takeCases: readonly Case[] = [
  {
    title: "of many who take an entry at once, one gets it",
    proves: "state: take, in one step",
    when: keeps,
    async run(context) {
      const stores = [storeOf<number>(context), storeOf<number>(context), storeOf<number>(context)];
      const [a] = stores as [(typeof stores)[0]];
      for (let round = 0; round < 5; round++) {
        const version = await a.save("k", round);
        const taken = await Promise.all(stores.flatMap((store) => [store.take("k"), store.take("k")]));
        const [entry, ...others] = taken.filter((one) => one !== undefined);
        assert.deepEqual([entry?.key, entry?.value, entry?.version], ["k", round, version]);
        assert.deepEqual([others, await a.load("k")], [[], undefined]);
      }
      assert.equal(await a.take("never"), undefined);
    },
  },
  {
    title: "nothing that is added is taken twice or lost, whoever adds meanwhile",
    proves: "state 3: no lost update",
    when: keeps,
    async run(context) {
      const [adding, taking] = [storeOf<readonly number[]>(context), storeOf<readonly number[]>(context)];
      const got: number[] = [];
      await Promise.all([
        times(20, async (i) => adding.upsert("k", (all) => [...(all ?? []), i])),
        times(8, async () => got.push(...((await taking.take("k"))?.value ?? []))),
      ]);
      got.push(...((await taking.take("k"))?.value ?? []));
      assert.deepEqual(
        got.toSorted((one, other) => one - other),
        Array.from({ length: 20 }, (_, i) => i),
      );
    },
  },
  {
    title: "an entry that this code cannot read, that has expired or is not there is not taken",
    proves: "state 9: it stays",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const [store, newer] = [storeOf<number>(context), storeOf<number>(context, { version: 2 })];
      await newer.save("k", 1);
      await rejects(store.take("k"), "SCHEMA_VERSION");
      assert.equal((await newer.take("k"))?.value, 1);
      await store.save("k", 2, { ttl: 4 * unit });
      const entry = await store.loadEntry("k");
      await place.elapse(4 * unit + unit / 2);
      assert.equal(await store.take("k"), undefined);
      assert.ok(entry?.expiresAt);
      await rejects(store.take(""), "INVALID_ARGUMENT");
      await rejects(store.take("k", { lease: undefined } as object), "INVALID_ARGUMENT");
    },
  },
  {
    title: "under a lease it takes while that is held, and nothing once it is lost",
    proves: "locks 3: a guarded write",
    when: guards,
    async run(context) {
      const instance = instanceOf(context);
      const store = storeOn<number>(instance);
      const lease = await leaseOf(instance, ["k"]);
      await store.save("k", 1);
      assert.equal((await store.take("k", { lease }))?.value, 1);
      await store.save("k", 2);
      await lease.lose();
      await rejects(store.take("k", { lease }), "FENCED");
      assert.equal(await store.load("k"), 2);
    },
  },
  {
    title: "a transaction takes what it sees, once, and leaves it where it fails",
    proves: "state 6: transact",
    when: transacts,
    async run(context) {
      const { instance, a } = books(context);
      await a.saveMany(["{t}1", "{t}2"].map((key) => [key, 1]));
      await assert.rejects(
        transact(instance, async (tx) => {
          assert.equal((await tx.take(a, "{t}1"))?.value, 1);
          throw new Error("of the application");
        }),
        /of the application/,
      );
      const got = await transact(instance, async (tx) => {
        tx.save(a, "{t}3", 3);
        const taken = await Promise.all(["{t}1", "{t}1", "{t}3", "{t}none"].map((key) => tx.take(a, key)));
        assert.equal(await tx.load(a, "{t}1"), undefined);
        await tx.update(a, "{t}2", (n) => n + 1);
        return taken.map((entry) => entry?.value);
      });
      assert.deepEqual(got, [1, undefined, 3, undefined]);
      await a.save("{t}4", 1);
      const [updated, touched, taken] = await transact(instance, async (tx) =>
        Promise.all([tx.update(a, "{t}4", (n) => n + 1), tx.touch(a, "{t}4", "1h"), tx.take(a, "{t}4")]),
      );
      assert.equal(taken?.value, updated ? 2 : 1, "what was taken is not there for an update");
      assert.equal(touched, true);
      assert.equal(await a.load("{t}4"), undefined);
      assert.deepEqual([...(await a.loadMany(["{t}1", "{t}2", "{t}3"]))], [["{t}2", 2]]);
    },
  },
];
