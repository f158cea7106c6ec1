import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { deferred } from "../../base/async.ts";
import { isHoldfastError } from "../../base/errors.ts";
import { KEEP, REMOVE, transact, type StateStore } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { books, guards, instanceOf, keeps, leaseOf, rejects, storeOf, storeOn, times, transacts } from "./client.ts";

/** What became of calls, each as its value or the code or message of its error. */
async function told(calls: readonly Promise<unknown>[]): Promise<readonly unknown[]> {
  return (await Promise.allSettled(calls)).map((one) => {
    if (one.status === "fulfilled") return one.value;
    return isHoldfastError(one.reason) ? one.reason.code : (one.reason as Error).message;
  });
}

const valueOf = async <T>(entry: Promise<{ readonly value: T } | undefined>): Promise<T | undefined> =>
  (await entry)?.value;

/** Many who change the same at the same time. */
export const crowdCases: readonly Case[] = [
  {
    title: "a thousand upserts of one key at once all succeed, each told the value that it made",
    proves: "state 3: callers of one process are combined",
    when: keeps,
    async run(context) {
      const store = storeOf<number>(context);
      await store.delete("k");
      const seen = await times(1_000, async (i) =>
        valueOf(store.upsert("k", i % 7 === 0 ? async (n) => (n ?? 0) + 1 : (n) => (n ?? 0) + 1, { timeout: "5s" })),
      );
      assert.equal(await store.load("k"), 1_000);
      assert.deepEqual(
        seen.toSorted((a, b) => (a ?? 0) - (b ?? 0)),
        Array.from({ length: 1_000 }, (_, i) => i + 1),
      );
    },
  },
  {
    title: "of calls that wait together on one key each has its own result and its own error",
    proves: "state 3: each has its own result and error",
    when: keeps,
    async run(context) {
      const store = storeOf<{ n: number }>(context);
      await store.save("k", { n: 0 });
      const add = ({ n }: { n: number }): { n: number } => ({ n: n + 1 });
      const calls = [
        valueOf(store.update("k", async (value) => (await turn(), add(value)))),
        valueOf(store.update("k", add)),
        valueOf(
          store.update("k", ({ n }) => {
            throw new Error(`saw ${n}`);
          }),
        ),
        valueOf(
          store.update("k", (value) => {
            value.n = 90;
            return KEEP;
          }),
        ),
        valueOf(store.update("k", () => undefined as never)),
        valueOf(store.update("k", () => ({ n: (() => 1) as never }))),
        valueOf(store.update("k", async (value) => Promise.reject(new Error(`async saw ${value.n}`)))),
        valueOf(store.upsert("k", (value) => add(value ?? { n: 50 }))),
        valueOf(store.update("k", () => REMOVE)),
        valueOf(store.update("k", add)),
        valueOf(store.upsert("k", (value) => add(value ?? { n: 50 }))),
        valueOf(store.update("k", async (value) => add(value))),
      ];
      assert.deepEqual(await told(calls), [
        { n: 1 },
        { n: 2 },
        "saw 2",
        { n: 2 },
        "INVALID_ARGUMENT",
        "UNSUPPORTED_VALUE",
        "async saw 2",
        { n: 3 },
        undefined,
        undefined,
        { n: 51 },
        { n: 52 },
      ]);
      assert.deepEqual(await store.load("k"), { n: 52 });
    },
  },
  {
    title: "an entry in between is the caller's own copy, and its version is none that is stored",
    proves: "state 3: an entry in between",
    when: keeps,
    async run(context) {
      const store = storeOf<{ n: number }>(context);
      const entries = await times(20, async () =>
        store.upsert("k", async (value) => ({ n: (value?.n ?? 0) + 1 }), { ttl: "never" }),
      );
      for (const entry of entries) if (entry) entry.value.n = -1;
      const stored = await store.loadEntry("k");
      assert.deepEqual(stored?.value, { n: 20 });
      assert.equal(new Set(entries.map((entry) => entry?.version)).size, 20);
      assert.equal(entries.filter((entry) => entry?.version === stored?.version).length, 1);
      for (const entry of entries) {
        if (!entry || entry.version === stored?.version) continue;
        await rejects(store.save("k", { n: 0 }, { if: { version: entry.version } }), "CONFLICT");
      }
      assert.deepEqual((await store.loadEntry("k"))?.version, stored?.version);
    },
  },
  {
    title: "one that is aborted while it waits is not in what the others write",
    proves: "every call 2: nothing happened",
    when: keeps,
    async run(context) {
      const store = storeOf<string>(context);
      await store.save("k", "");
      const gate = deferred<void>();
      const aborts = [new AbortController(), new AbortController()];
      const runs: string[] = [];
      const add = (letter: string, signal?: AbortSignal): Promise<string | undefined> =>
        valueOf(
          store.update(
            "k",
            async (text) => {
              runs.push(letter);
              if (letter === "a") await gate.promise;
              return text + letter;
            },
            { signal },
          ),
        );
      const calls = [add("a"), add("b"), add("c", aborts[0]?.signal), add("d"), add("e", aborts[1]?.signal)];
      const results = told(calls);
      while (runs.length === 0) await turn();
      aborts[0]?.abort(new Error("enough"));
      await assert.rejects(calls[2] as Promise<unknown>, { message: "enough" });
      gate.resolve();
      aborts[1]?.abort(new Error("enough"));
      assert.deepEqual(await results, ["a", "ab", "enough", "abd", "enough"]);
      assert.equal(await store.load("k"), "abd");
      assert.ok(!runs.includes("c"));
    },
  },
  {
    title:
      "a function that takes its time keeps nobody before it waiting, and those behind it go on from what it leaves",
    proves: "state 3: their functions in order",
    when: keeps,
    async run(context) {
      const store = storeOf<string>(context);
      await store.save("k", "");
      const gate = deferred<void>();
      const first = deferred<void>();
      const calls = [..."abcde"].map(async (letter) =>
        valueOf(
          store.update("k", async (text) => {
            if (letter === "a") await first.promise;
            if (letter === "d") await gate.promise;
            return text + letter;
          }),
        ),
      );
      first.resolve();
      assert.deepEqual(await Promise.all(calls.slice(0, 3)), ["a", "ab", "abc"]);
      assert.equal(await store.load("k"), "abc");
      gate.resolve();
      assert.deepEqual(await Promise.all(calls.slice(3)), ["abcd", "abcde"]);
    },
  },
  {
    title: "calls under different leases are not written together: one that lost its lease fails alone",
    proves: "locks 3: a guarded write",
    when: guards,
    async run(context) {
      const instance = instanceOf(context);
      const store = storeOn<number>(instance);
      await store.save("{k}", 0);
      const [held, lost] = [await leaseOf(instance, ["{k}held"]), await leaseOf(instance, ["{k}lost"])];
      await lost.lose();
      const add = (n: number): number => n + 1;
      const calls = Array.from({ length: 30 }, async (_, i) => {
        const options = i % 3 === 0 ? {} : { lease: i % 3 === 1 ? held : lost };
        return (await store.update("{k}", add, options)) && i % 3;
      });
      const results = await told(calls);
      assert.deepEqual(
        results,
        Array.from({ length: 30 }, (_, i) => (i % 3 === 2 ? "FENCED" : i % 3)),
      );
      assert.equal(await store.load("{k}"), 20);
    },
  },
  {
    title: "what is kept of a ttl and what is set goes through those who wait together",
    proves: "state 5: update, upsert",
    when: keeps,
    async run(context) {
      const store = storeOf<number>(context);
      const far = 3_600_000;
      const add = async (n: number | undefined): Promise<number> => (n ?? 0) + 1;
      const entries = await Promise.all([
        store.upsert("k", add),
        store.upsert("k", add),
        store.upsert("k", add, { ttl: far }),
        store.upsert("k", add),
        store.upsert("k", add),
      ]);
      const stored = await store.loadEntry("k");
      assert.equal(stored?.value, 5);
      assert.ok(stored.expiresAt !== undefined, "it keeps the ttl that one of them set");
      assert.deepEqual(
        entries.map((entry) => entry?.expiresAt !== undefined),
        [false, false, true, true, true],
      );
    },
  },
  {
    title: "hundreds of transactions on few accounts at once, of two instances, all commit",
    proves: "state 6: a transaction takes its turn",
    when: transacts,
    async run(context) {
      const clients = [books(context), books(context)];
      const accounts = Array.from({ length: 10 }, (_, i) => `{t}${i}`);
      const from = (i: number): string => accounts[i % 10] as string;
      const to = (i: number): string => accounts[(i + 1 + (i % 7)) % 10] as string;
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
            { timeout: "20s" },
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
      assert.deepEqual(new Map([...(left ?? [])].toSorted()), new Map([...expected].toSorted()));
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
];
