import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { space } from "../../base/keys.ts";
import { transact, transactionFactory, type StateStore } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { books, guards, instanceOf, keeps, leaseOf, storeOf, storeOn, times, transacts } from "./client.ts";
import { timeoutOf, told } from "./crowds.ts";

/** Many transactions on the same records at the same time. */
export const turnCases: readonly Case[] = [
  {
    title: "hundreds of transactions on few accounts at once, of two instances, all commit",
    proves: "state 6: a transaction takes its turn",
    when: transacts,
    async run(context) {
      const clients = [books(context), books(context)];
      const accounts = Array.from({ length: 10 }, (_, i) => `{t}${i}`);
      const from = (i: number): string => accounts[i % 10] as string;
      const to = (i: number): string => accounts[(i + 1 + (i % 7)) % 10] as string;
      const timeout = await timeoutOf(context, 400);
      const done = await told(
        Array.from({ length: 400 }, async (_, i) => {
          const { instance, a } = clients[i % 2] as (typeof clients)[0];
          return transact(
            instance,
            async (tx) => {
              const [x, y] = await Promise.all([tx.load(a, from(i)), tx.load(a, to(i))]);
              tx.save(a, from(i), (x ?? 0) - 1);
              tx.save(a, to(i), (y ?? 0) + 1);
              return "done";
            },
            { timeout },
          );
        }),
      );
      assert.deepEqual(new Set(done), new Set(["done"]));
      const left = await clients[0]?.a.loadMany(accounts);
      const expected = new Map(accounts.map((key) => [key, 0]));
      for (let i = 0; i < 400; i++) {
        expected.set(from(i), (expected.get(from(i)) ?? 0) - 1);
        expected.set(to(i), (expected.get(to(i)) ?? 0) + 1);
      }
      for (const key of accounts) assert.equal(left?.get(key) ?? 0, expected.get(key), key);
    },
  },
  {
    title:
      "of transactions that take turns each has its own result and its own error, and one that fails writes nothing",
    proves: "state 6: if fn throws",
    when: transacts,
    async run(context) {
      const clients = [books(context), books(context)];
      const calls = Array.from({ length: 120 }, async (_, i) => {
        const { instance, a, b } = clients[i % 2] as (typeof clients)[0];
        return transact(instance, async (tx) => {
          const n = (await tx.load(a, "{t}k")) ?? 0;
          if (i % 5 === 1) await turn();
          tx.save(a, "{t}k", n + 1);
          tx.save(b, "{t}k", n + 1);
          if (i % 4 === 3) throw new Error("of the application");
          if (i % 4 === 2) tx.save(a, "{t}l", (() => 1) as never);
          return i;
        });
      });
      const results = await told(calls);
      assert.deepEqual(
        results,
        Array.from({ length: 120 }, (_, i) =>
          i % 4 === 3 ? "of the application" : i % 4 === 2 ? "UNSUPPORTED_VALUE" : i,
        ),
      );
      const { a, b } = clients[0] as (typeof clients)[0];
      assert.deepEqual([await a.load("{t}k"), await b.load("{t}k")], [60, 60]);
    },
  },
  {
    title: "a transaction inside of another one on the same records ends, also where both take turns",
    proves: "every call 1: it ends",
    when: transacts,
    async run(context) {
      const { instance, a } = books(context);
      const other = storeOf<number>(context);
      await a.save("{t}k", 0);
      let runs = 0;
      const outer = transact(
        instance,
        async (tx) => {
          const n = (await tx.load(a, "{t}k")) ?? 0;
          // Twice by somebody else, so that it takes its turn; then by one inside, which has to take the same.
          if (++runs < 3) await other.save("{t}k", runs);
          if (runs === 3) {
            let tries = 0;
            const inner = transact(instance, async (inside) => {
              const m = (await inside.load(a, "{t}k")) ?? 0;
              if (++tries < 3) await other.save("{t}k", 10 * tries);
              inside.save(a, "{t}k", m + 100);
            });
            await context.place.elapse(1_200);
            await inner;
          }
          tx.save(a, "{t}k", n + 1);
          return n;
        },
        { timeout: "20s" },
      );
      assert.equal(await outer, 120);
      assert.deepEqual([await other.load("{t}k"), runs], [121, 4]);
    },
  },
  {
    title: "transactions under a lease that is lost while they take turns are refused, the others are not",
    proves: "locks 3: a guarded write",
    when: (capabilities) => guards(capabilities) && transacts(capabilities),
    async run(context) {
      const clients = [books(context), books(context)];
      const [first] = clients as [(typeof clients)[0]];
      const lost = await leaseOf(first.instance, ["{t}lock"]);
      await lost.lose();
      const calls = Array.from({ length: 40 }, async (_, i) => {
        const { instance, a } = i % 4 === 0 ? first : (clients[i % 2] as (typeof clients)[0]);
        return transact(
          instance,
          async (tx) => {
            tx.save(a, "{t}k", ((await tx.load(a, "{t}k")) ?? 0) + 1);
            return "done";
          },
          i % 4 === 0 ? { lease: lost } : {},
        );
      });
      const results = await told(calls);
      assert.deepEqual(
        results,
        Array.from({ length: 40 }, (_, i) => (i % 4 === 0 ? "FENCED" : "done")),
      );
      assert.equal(await first.a.load("{t}k"), 30);
    },
  },
  {
    title: "updates and transactions on one record at once lose nothing",
    proves: "state 3: no lost update",
    when: keeps,
    async run(context) {
      const clients = [instanceOf(context), instanceOf(context)];
      const stores = clients.map((instance) => storeOn<number>(instance));
      await times(120, async (i) => {
        const store = stores[i % 2] as StateStore<number>;
        if (i % 3 > 0) return store.upsert("k", (n) => (n ?? 0) + 1);
        return transact(clients[i % 2] as (typeof clients)[0], async (tx) =>
          tx.upsert(store, "k", (n) => (n ?? 0) + 1),
        );
      });
      assert.equal(await stores[0]?.load("k"), 120);
    },
  },
  {
    title: "what is to be committed with a transaction is not where its function fails, also where it takes turns",
    proves: "state 6: if fn throws",
    when: transacts,
    async run(context) {
      const { instance, a } = books(context);
      const other = storeOf<number>(context);
      const key = { space: space("state", "conformance", "entries"), key: "{t}beside" };
      const beside = { op: "set", key, id: "1", value: "7", ttl: undefined } as const;
      let runs = 0;
      const done = transactionFactory(instance).run(
        async (tx) => {
          tx.save(a, "{t}k", ((await tx.load(a, "{t}k")) ?? 0) + 100);
          // Twice by somebody else, so that it takes its turn.
          if (++runs < 3) await other.save("{t}k", runs);
          else throw new Error("of the application");
        },
        {
          signal: undefined,
          timeoutMs: 30_000,
          commit: async (request) => request({ ops: [beside] }, instance.ownCall()),
        },
      );
      await assert.rejects(done, { message: "of the application" });
      assert.deepEqual([runs, await other.load("{t}k"), await other.load("{t}beside")], [3, 2, undefined]);
    },
  },
  {
    title: "transactions of another tag than those that take turns commit beside them",
    proves: "state 6: slot",
    when: transacts,
    async run(context) {
      const clients = [books(context), books(context)];
      const timeout = await timeoutOf(context, 500);
      const count = async (i: number, key: string): Promise<string> => {
        const { instance, a, b } = clients[i % 2] as (typeof clients)[0];
        return transact(
          instance,
          async (tx) => {
            const n = (await tx.load(a, key)) ?? 0;
            tx.save(a, key, n + 1);
            tx.save(b, key, n + 1);
            return "done";
          },
          { timeout },
        );
      };
      // In waves, so that those of the later ones know what the earlier ones met.
      const calls: Promise<string>[] = [];
      for (let wave = 0; wave < 10; wave++) {
        for (let i = 0; i < 40; i++) calls.push(count(i, "{t}k"));
        await Promise.race(calls.slice(-40));
        for (let i = 0; i < 10; i++) calls.push(count(i, `{u${wave}}k`));
      }
      assert.deepEqual(new Set(await told(calls)), new Set(["done"]));
      const [{ b }] = clients as [(typeof clients)[0]];
      assert.deepEqual([await b.load("{t}k"), await b.load("{u9}k")], [400, 10]);
    },
  },
  {
    title: "transactions whose functions go from one tag to another commit, each by what it had last",
    proves: "state 6: slot",
    when: transacts,
    async run(context) {
      const clients = [books(context), books(context)];
      const timeout = await timeoutOf(context, 60);
      const done = await told(
        Array.from({ length: 60 }, async (_, i) => {
          const { instance, a, b } = clients[i % 2] as (typeof clients)[0];
          let runs = 0;
          return transact(
            instance,
            async (tx) => {
              const key = runs++ < 2 ? "{t}k" : `{u${i % 3}}k`;
              const n = (await tx.load(a, key)) ?? 0;
              tx.save(a, key, n + 1);
              tx.save(b, key, n + 1);
              return "done";
            },
            { timeout },
          );
        }),
      );
      assert.deepEqual(new Set(done), new Set(["done"]));
      const counts = await clients[0]?.b.loadMany(["{t}k", "{u0}k", "{u1}k", "{u2}k"]);
      // A tag at a time, for a cluster.
      assert.equal(
        [...(counts ?? [])].reduce((sum, [, n]) => sum + n, 0),
        60,
      );
    },
  },
  {
    title: "a store may have the name and the key that transactions take turns by",
    proves: "state 3: no lost update",
    when: transacts,
    async run(context) {
      const instance = instanceOf(context);
      const store = storeOn<number>(instance, "transact");
      const other = storeOf<number>(context, {}, "transact");
      await store.save("transact", 5);
      let runs = 0;
      let meanwhile: Promise<unknown> | undefined;
      await transact(instance, async (tx) => {
        const n = (await tx.load(store, "{transact}k")) ?? 0;
        // Twice by somebody else, so that it takes its turn.
        if (++runs < 3) await other.save("{transact}k", runs);
        else meanwhile = store.upsert("transact", (m) => (m ?? 0) + 1);
        tx.save(store, "{transact}k", n + 1);
      });
      await meanwhile;
      assert.deepEqual([runs, await store.load("transact"), await store.load("{transact}k")], [3, 6, 3]);
    },
  },
  {
    title: "a transaction that only reads is refused where its lease is over, also where it takes turns",
    proves: "locks 3: a guarded write",
    when: (capabilities) => guards(capabilities) && transacts(capabilities),
    async run(context) {
      const { instance, a } = books(context);
      const other = storeOf<number>(context);
      for (const last of [1, 3]) {
        const lease = await leaseOf(instance, [`{t}lock${last}`]);
        let runs = 0;
        const done = transact(
          instance,
          async (tx) => {
            const n = (await tx.load(a, "{t}k")) ?? 0;
            if (++runs === last) return lease.lose();
            await other.save("{t}k", runs);
            return tx.save(a, "{t}k", n + 1);
          },
          { lease },
        );
        assert.deepEqual([...(await told([done])), runs], ["FENCED", last]);
      }
    },
  },
];
