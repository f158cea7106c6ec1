import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { KEEP, REMOVE, type StateStore } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { keeps, rejects, storeOf, times } from "./client.ts";

export const updateCases: readonly Case[] = [
  {
    title: "256 updates of one key at the same time, of several instances, are all there",
    proves: "state 3: no lost update",
    when: keeps,
    async run(context) {
      const stores = [storeOf<number>(context), storeOf<number>(context)];
      await stores[0]?.save("k", 0);
      const seen = await times(256, async (i) => {
        const entry = await (stores[i % 2] as StateStore<number>).update("k", async (n) => {
          if (i % 5 === 0) await turn();
          return n + 1;
        });
        return entry?.value;
      });
      assert.equal(await stores[0]?.load("k"), 256);
      assert.equal(new Set(seen).size, 256, "each was told the value that it made");
    },
  },
  {
    title: "upserts at the same time create once and count all",
    proves: "state 3: no lost update",
    when: keeps,
    async run(context) {
      const stores = [storeOf<number>(context), storeOf<number>(context)];
      await times(64, async (i) => (stores[i % 2] as StateStore<number>).upsert("k", (n) => (n ?? 0) + 1));
      assert.equal(await stores[1]?.load("k"), 64);
    },
  },
  {
    title: "an update that meets another one runs again on what that left",
    proves: "state 3: fn may run several times",
    when: keeps,
    async run(context) {
      const [a, b] = [storeOf<string>(context), storeOf<string>(context)];
      await a.save("k", "");
      const seen: string[] = [];
      const entry = await a.update("k", async (text) => {
        seen.push(text);
        if (seen.length < 3) await b.save("k", `${text}b`);
        return `${text}a`;
      });
      assert.deepEqual(seen, ["", "b", "bb"]);
      assert.equal(entry?.value, "bba");
      assert.deepEqual(await b.loadEntry("k"), entry);
    },
  },
  {
    title: "an update of an entry that is deleted meanwhile leaves it missing; an upsert makes it anew",
    proves: "state 3: a missing key stays missing",
    when: keeps,
    async run(context) {
      const [a, b] = [storeOf<number>(context), storeOf<number>(context)];
      await a.save("k", 1);
      let runs = 0;
      const gone = await a.update("k", async (n) => {
        runs++;
        await b.delete("k");
        return n + 1;
      });
      assert.deepEqual([gone, runs, await b.load("k")], [undefined, 1, undefined]);
      await a.save("k", 1);
      const seen: unknown[] = [];
      await a.upsert("k", async (n) => {
        seen.push(n);
        await b.delete("k");
        return (n ?? 10) + 1;
      });
      assert.deepEqual([seen, await b.load("k")], [[1, undefined], 11]);
    },
  },
  {
    title: "update does not call its function for a missing key, upsert does",
    proves: "state 3: update, upsert",
    async run(context) {
      const store = storeOf<number>(context);
      assert.equal(await store.update("missing", () => assert.fail("called for a missing key")), undefined);
      const seen: unknown[] = [];
      const entry = await store.upsert("k", (current) => {
        seen.push(current);
        return 1;
      });
      assert.deepEqual([seen, entry?.value, entry?.key], [[undefined], 1, "k"]);
    },
  },
  {
    title: "KEEP writes nothing and gives the entry as it is, REMOVE deletes it",
    proves: "state 3: KEEP, REMOVE",
    when: keeps,
    async run(context) {
      const store = storeOf<{ n: number }>(context);
      assert.equal(await store.upsert("k", () => KEEP), undefined);
      assert.equal(await store.upsert("k", () => REMOVE), undefined);
      assert.equal(await store.load("k"), undefined);
      const version = await store.save("k", { n: 1 });
      const kept = await store.update("k", (current) => {
        current.n = 9;
        return KEEP;
      });
      assert.deepEqual([kept?.version, kept?.value], [version, { n: 1 }]);
      assert.equal((await store.loadEntry("k"))?.version, version);
      assert.equal(await store.update("k", async () => REMOVE), undefined);
      assert.equal(await store.load("k"), undefined);
    },
  },
  {
    title: "REMOVE deletes only what the function saw",
    proves: "state 3: no lost update",
    when: keeps,
    async run(context) {
      const [a, b] = [storeOf<number>(context), storeOf<number>(context)];
      await a.save("k", 1);
      const seen: number[] = [];
      const left = await a.update("k", async (n) => {
        seen.push(n);
        if (n > 1) return KEEP;
        await b.save("k", 2);
        return REMOVE;
      });
      assert.deepEqual([seen, left?.value, await b.load("k")], [[1, 2], 2, 2]);
    },
  },
  {
    title: "returning undefined is refused, a thrown error comes through, and nothing is written",
    proves: "state 3: InvalidArgumentError",
    when: keeps,
    async run(context) {
      const store = storeOf<{ n: number }>(context);
      await store.save("k", { n: 1 });
      const forgot = ((current: { n: number }) => {
        current.n++;
      }) as unknown as (current: { n: number }) => { n: number };
      await rejects(store.update("k", forgot), "INVALID_ARGUMENT");
      await rejects(
        store.upsert("new", async () => undefined as unknown as { n: number }),
        "INVALID_ARGUMENT",
      );
      await rejects(store.update("k", "fn" as never), "INVALID_ARGUMENT");
      const error = new Error("of the application");
      await assert.rejects(
        store.update("k", () => {
          throw error;
        }),
        error,
      );
      await assert.rejects(
        store.upsert("k", () => Promise.reject(error)),
        error,
      );
      assert.deepEqual([await store.load("k"), await store.load("new")], [{ n: 1 }, undefined]);
      assert.equal(
        (await store.update("k", ({ n }) => ({ n: n + 1 })))?.value.n,
        2,
        "the key is free for others again",
      );
    },
  },
  {
    title: "a slow update does not keep others of its process from the key",
    proves: "every call 1: it ends",
    when: keeps,
    async run(context) {
      const store = storeOf<number>(context);
      await store.save("k", 0);
      let waits = 0;
      const outer = await store.update("k", async (n) => {
        // Two of these would wait for each other if turns were locks.
        if (waits++ === 0) {
          const inner = store.update("k", (m) => m + 10);
          await context.place.elapse(1_200);
          await inner;
        }
        return n + 1;
      });
      assert.deepEqual([outer?.value, waits], [11, 2]);
    },
  },
];
