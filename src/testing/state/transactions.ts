import assert from "node:assert/strict";
import { isHoldfastError, type ConflictError } from "../../base/errors.ts";
import { KEEP, REMOVE, transact } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { books, instanceOf, keeps, storeOf, storeOn, times, transacts, type Books } from "./client.ts";

export const transactionCases: readonly Case[] = [
  {
    title: "writes of several stores take effect together, and only when the function has ended",
    proves: "state 6: one atomic group",
    when: transacts,
    async run(context) {
      const { instance, a, b } = books(context);
      const other = storeOf<number>(context);
      await a.save("{k}gone", 1);
      const result = await transact(instance, async (tx) => {
        tx.save(a, "k", 1);
        tx.save(b, "k", 2);
        tx.delete(a, "{k}gone");
        assert.deepEqual([await other.load("k"), await other.load("{k}gone")], [undefined, 1]);
        return "done";
      });
      assert.equal(result, "done");
      assert.deepEqual([await other.load("k"), await b.load("k"), await other.load("{k}gone")], [1, 2, undefined]);
    },
  },
  {
    title: "reads see the transaction's own writes; a key twice is its last write",
    proves: "state 6: reads see them",
    when: transacts,
    async run(context) {
      const { instance, a } = books(context);
      await a.saveMany([
        ["{t}x", 1],
        ["{t}y", 1],
      ]);
      let version: string | undefined;
      await transact(instance, async (tx) => {
        tx.save(a, "{t}x", 2);
        assert.equal(await tx.load(a, "{t}x"), 2);
        tx.save(a, "{t}x", 3);
        tx.delete(a, "{t}y");
        assert.equal(await tx.load(a, "{t}y"), undefined);
        assert.equal(await tx.loadEntry(a, "{t}y"), undefined);
        tx.save(a, "{t}z", 1);
        assert.deepEqual(
          [...(await tx.loadMany(a, ["{t}x", "{t}y", "{t}z", "{t}w", "{t}x"]))],
          [
            ["{t}x", 3],
            ["{t}z", 1],
          ],
        );
        assert.equal((await tx.update(a, "{t}x", (n) => n + 1))?.value, 4);
        assert.equal(await tx.update(a, "{t}y", () => assert.fail("called for a deleted key")), undefined);
        assert.equal((await tx.upsert(a, "{t}y", (n) => (n ?? 10) + 1))?.value, 11);
        assert.equal((await tx.upsert(a, "{t}y", () => KEEP))?.value, 11);
        assert.equal(await tx.update(a, "{t}z", () => REMOVE), undefined);
        version = (await tx.loadEntry(a, "{t}x"))?.version;
      });
      assert.deepEqual(
        [...(await a.loadMany(["{t}x", "{t}y", "{t}z"]))],
        [
          ["{t}x", 4],
          ["{t}y", 11],
        ],
      );
      assert.equal((await a.loadEntry("{t}x"))?.version, version, "an entry has the version that it is to have");
    },
  },
  {
    title: "values are taken when they are saved, and loaded ones are copies",
    proves: "state 1: an independent copy",
    when: keeps,
    async run(context) {
      const instance = instanceOf(context);
      const store = storeOn<number[]>(instance);
      await transact(instance, async (tx) => {
        const value = [1];
        tx.save(store, "k", value);
        value.push(2);
        (await tx.load(store, "k"))?.push(3);
        assert.deepEqual(await tx.load(store, "k"), [1]);
      });
      assert.deepEqual(await store.load("k"), [1]);
    },
  },
  {
    title: "what was read and changed meanwhile makes the function run again, also where there was nothing",
    proves: "state 6: everything read is checked",
    when: transacts,
    async run(context) {
      const { instance, a } = books(context);
      const other = storeOf<number>(context);
      const change: readonly (readonly [string, (key: string) => Promise<unknown>, number | undefined])[] = [
        ["changed", (key) => other.save(key, 2), 1],
        ["deleted", (key) => other.delete(key), 1],
        ["created", (key) => other.save(key, 2), undefined],
        ["deleted and made anew", async (key) => (await other.delete(key)) && other.save(key, 1), 1],
      ];
      for (const [key, meanwhile, before] of change) {
        if (before !== undefined) await a.save(key, before);
        let runs = 0;
        const seen = await transact(instance, async (tx) => {
          const value = await tx.load(a, key);
          if (runs++ === 0) await meanwhile(key);
          tx.save(a, `of {${key}}`, runs);
          return value;
        });
        assert.deepEqual([runs, seen, await other.load(`of {${key}}`)], [2, await other.load(key), 2], key);
      }
    },
  },
  {
    title: "what was not read does not make it run again",
    proves: "state 6: writes are held back",
    when: transacts,
    async run(context) {
      const { instance, a } = books(context);
      const other = storeOf<number>(context);
      let runs = 0;
      await transact(instance, async (tx) => {
        tx.save(a, "k", 1);
        runs++;
        await other.save("k", 2);
      });
      assert.deepEqual([runs, await a.load("k")], [1, 1]);
    },
  },
  {
    title: "if the function throws nothing is written",
    proves: "state 6: if fn throws",
    when: transacts,
    async run(context) {
      const { instance, a } = books(context);
      await a.save("k", 1);
      const error = new Error("of the application");
      let runs = 0;
      const work = transact(instance, async (tx) => {
        runs++;
        tx.save(a, "k", ((await tx.load(a, "k")) ?? 0) + 1);
        tx.save(a, "{k}l", 1);
        throw error;
      });
      await assert.rejects(work, error);
      assert.deepEqual([runs, ...(await a.loadMany(["k", "{k}l"]))], [1, ["k", 1]]);
    },
  },
  {
    title: "an error that comes of a stale read is not thrown: the function runs again",
    proves: "state 6: its reads are checked first",
    when: keeps,
    async run(context) {
      const { instance, a } = books(context);
      const other = storeOf<number>(context);
      await a.save("k", 1);
      let runs = 0;
      const value = await transact(instance, async (tx) => {
        const n = await tx.load(a, "k");
        if (runs++ === 0) {
          await other.save("k", 2);
          throw new Error(`cannot work with ${n}`);
        }
        return n;
      });
      assert.deepEqual([value, runs], [2, 2]);
    },
  },
  {
    title: "transfers at the same time, of several instances, lose and make nothing",
    proves: "state 6: retried until the deadline",
    when: transacts,
    async run(context) {
      const clients = [books(context), books(context)];
      const accounts = ["{t}p", "{t}q", "{t}r"];
      await clients[0]?.a.saveMany(accounts.map((key) => [key, 100]));
      await times(60, async (i) => {
        const { instance, a, b } = clients[i % 2] as Books;
        const [from, to] = [accounts[i % 3] as string, accounts[(i + 1 + (i % 2)) % 3] as string];
        await transact(instance, async (tx) => {
          const [x, y] = await Promise.all([tx.load(a, from), tx.load(a, to)]);
          tx.save(a, from, (x as number) - 1);
          tx.save(a, to, (y as number) + 1);
          await tx.upsert(b, "{t}count", (n) => (n ?? 0) + 1);
        });
      });
      const left = await clients[0]?.a.loadMany(accounts);
      assert.equal(
        [...(left?.values() ?? [])].reduce((sum, n) => sum + n, 0),
        300,
      );
      assert.equal(await clients[0]?.b.load("{t}count"), 60);
    },
  },
  {
    title: "of many who find an entry absent and create it one commits, and those who add to it lose nothing",
    proves: "state 6: everything read is checked",
    when: keeps,
    async run(context) {
      const clients = Array.from({ length: 16 }, () => instanceOf(context));
      const [first, all] = [storeOf<number>(context), storeOf<number[]>(context, {}, "lists")];
      const seen = await Promise.all(
        clients.map(async (instance, i) => {
          const [ones, lists] = [storeOn<number>(instance), storeOn<number[]>(instance, "lists")];
          const found = await transact(instance, async (tx) => {
            const before = await tx.load(ones, "first");
            if (before === undefined) tx.save(ones, "first", i);
            return before;
          });
          const list = await transact(instance, async (tx) => {
            const before = await tx.load(lists, "all");
            tx.save(lists, "all", [...(before ?? []), i]);
            return before;
          });
          return { i, found, list };
        }),
      );
      const creators = seen.filter(({ found }) => found === undefined);
      assert.deepEqual([creators.length, await first.load("first")], [1, creators[0]?.i]);
      for (const { found } of seen) assert.ok(found === undefined || found === creators[0]?.i);
      assert.equal(seen.filter(({ list }) => list === undefined).length, 1, "one began the list");
      const list = await all.load("all");
      assert.deepEqual([list?.length, new Set(list)], [16, new Set(clients.keys())]);
    },
  },
  {
    title: "a conflict that does not end is a ConflictError at the timeout",
    proves: "every call 1: it ends",
    when: keeps,
    async run(context) {
      const { instance, a } = books(context);
      const other = storeOf<number>(context);
      await a.save("k", 0);
      let runs = 0;
      const restless = async (n: number | undefined): Promise<number> => {
        if (runs++ === 1) await context.place.elapse(9 * context.unit);
        await other.save("k", runs);
        return (n ?? 0) + 1;
      };
      const timeout = 8 * context.unit;
      const tries = async (call: Promise<unknown>): Promise<number> => {
        const error: unknown = await call.catch((reason: unknown) => reason);
        assert.ok(isHoldfastError(error, "CONFLICT"), String(error));
        return (error as ConflictError).tries;
      };
      assert.equal(await tries(transact(instance, async (tx) => tx.update(a, "k", restless), { timeout })), runs);
      assert.ok(runs >= 2);
      runs = 0;
      assert.equal(await tries(a.update("k", restless, { timeout })), runs);
      assert.ok(runs >= 2);
      assert.equal(await a.load("k"), runs);
    },
  },
];
