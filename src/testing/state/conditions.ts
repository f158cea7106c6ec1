import assert from "node:assert/strict";
import type { LeaseOption, StateStore } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { keeps, rejects, storeOf, times } from "./client.ts";

export const conditionCases: readonly Case[] = [
  {
    title: "of many who create an entry at the same time one wins",
    proves: "state 3: { absent: true } has one winner",
    when: keeps,
    async run(context) {
      const stores = [storeOf<number>(context), storeOf<number>(context), storeOf<number>(context)];
      for (let round = 0; round < 5; round++) {
        const outcomes = await times(24, async (i) => {
          const store = stores[i % stores.length] as StateStore<number>;
          try {
            return { i, version: await store.save(`k${round}`, i, { if: { absent: true } }) };
          } catch (error) {
            assert.equal((error as { code?: unknown }).code, "CONFLICT", String(error));
            return undefined;
          }
        });
        const winners = outcomes.filter((outcome) => outcome !== undefined);
        assert.equal(winners.length, 1);
        const entry = await stores[0]?.loadEntry(`k${round}`);
        assert.equal(entry?.value, winners[0]?.i);
        assert.equal(entry?.version, winners[0]?.version);
      }
    },
  },
  {
    title: "of many who replace one version one wins",
    proves: "state 3: optimistic concurrency",
    when: keeps,
    async run(context) {
      const [a, b] = [storeOf<number>(context), storeOf<number>(context)];
      const version = await a.save("k", -1);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 24 }, (_, i) => (i % 2 ? a : b).save("k", i, { if: { version } })),
      );
      const winners = outcomes.filter((outcome) => outcome.status === "fulfilled");
      assert.equal(winners.length, 1);
      assert.equal((await a.loadEntry("k"))?.version, winners[0]?.value);
    },
  },
  {
    title: "save with a version or an entry writes only over that",
    proves: "state 3: save({ if })",
    when: keeps,
    async run(context) {
      const [a, b] = [storeOf<string>(context), storeOf<string>(context)];
      await rejects(a.save("k", "x", { if: { version: "never-given" } }), "CONFLICT");
      assert.equal(await a.load("k"), undefined, "a version does not fit what is missing");
      await a.save("k", "one");
      const entry = await a.loadEntry("k");
      assert.ok(entry);
      const second = await b.save("k", "two", { if: entry });
      await assert.rejects(a.save("k", "three", { if: entry }), { code: "CONFLICT", key: "k" });
      await rejects(a.save("k", "three", { if: { absent: true } }), "CONFLICT");
      assert.equal(await a.load("k"), "two");
      await a.save("k", "three", { if: { version: second } });
      assert.equal(await b.load("k"), "three");
    },
  },
  {
    title: "delete says whether there was one; with a condition, a missing entry is a conflict",
    proves: "state 3: delete({ if })",
    when: keeps,
    async run(context) {
      const [a, b] = [storeOf<number>(context), storeOf<number>(context)];
      assert.equal(await a.delete("k"), false);
      const version = await a.save("k", 1);
      const newer = await b.save("k", 2);
      await rejects(a.delete("k", { if: { version } }), "CONFLICT");
      assert.equal(await a.load("k"), 2);
      assert.equal(await a.delete("k", { if: { version: newer } }), true);
      await rejects(a.delete("k", { if: { version: newer } }), "CONFLICT");
      await a.save("k", 3);
      assert.equal(await b.delete("k"), true);
      assert.equal(await a.load("k"), undefined);
    },
  },
  {
    title: "a forgotten lease or condition is refused, and nothing is written",
    proves: "state 4: an own property that is undefined",
    async run(context) {
      const store = storeOf<number>(context);
      // What `{ lease: await lock.tryAcquire(…) }` is when nobody checked.
      const lease = { lease: undefined } as unknown as Required<LeaseOption>;
      const condition = { if: undefined } as unknown as { if: { version: string } };
      await rejects(store.save("k", 1, lease), "INVALID_ARGUMENT");
      await rejects(store.save("k", 1, condition), "INVALID_ARGUMENT");
      await rejects(store.saveMany([["k", 1]], lease), "INVALID_ARGUMENT");
      await rejects(store.saveMany([{ key: "k", value: 1, ...condition }]), "INVALID_ARGUMENT");
      await rejects(store.loadEntry("k", lease), "INVALID_ARGUMENT");
      await rejects(
        store.upsert("k", () => 1, lease),
        "INVALID_ARGUMENT",
      );
      await rejects(
        store.update("k", () => 1, lease),
        "INVALID_ARGUMENT",
      );
      await rejects(store.delete("k", lease), "INVALID_ARGUMENT");
      await rejects(store.delete("k", condition), "INVALID_ARGUMENT");
      assert.equal(await store.load("k"), undefined);
    },
  },
  {
    title: "what is no condition is refused",
    proves: "every call 4: bad input",
    async run(context) {
      const store = storeOf<number>(context);
      const bad: readonly unknown[] = [
        null,
        5,
        "v",
        {},
        { absent: false },
        { version: 7 },
        { version: "" },
        { absent: true, version: "v" },
      ];
      for (const one of bad) {
        await rejects(store.save("k", 1, { if: one as { absent: true } }), "INVALID_ARGUMENT", JSON.stringify(one));
      }
      await rejects(store.delete("k", { if: { absent: true } as unknown as { version: string } }), "INVALID_ARGUMENT");
      assert.equal(await store.load("k"), undefined);
    },
  },
  {
    title: "an entry of another key is no condition",
    proves: "every call 4: bad input",
    when: keeps,
    async run(context) {
      const store = storeOf<number>(context);
      await store.saveMany([
        ["a", 1],
        ["b", 2],
      ]);
      const entry = await store.loadEntry("a");
      assert.ok(entry);
      await rejects(store.save("b", 3, { if: entry }), "INVALID_ARGUMENT");
      await rejects(store.delete("b", { if: entry }), "INVALID_ARGUMENT");
      assert.equal(await store.load("b"), 2);
    },
  },
];
