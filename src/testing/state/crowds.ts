import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { deferred } from "../../base/async.ts";
import { isHoldfastError } from "../../base/errors.ts";
import { KEEP, REMOVE, transact } from "../../state/index.ts";
import type { Case, CaseContext } from "../suite.ts";
import { books, guards, instanceOf, keeps, leaseOf, rejects, storeOf, storeOn, times } from "./client.ts";

/** What became of calls, each as its value or the code or message of its error. */
export async function told(calls: readonly Promise<unknown>[]): Promise<readonly unknown[]> {
  return (await Promise.allSettled(calls)).map((one) => {
    if (one.status === "fulfilled") return one.value;
    return isHoldfastError(one.reason) ? one.reason.code : (one.reason as Error).message;
  });
}

/** For so many transactions at once, in ms: as long as they take here one after the other, and 20 s at least. */
export async function timeoutOf(context: CaseContext, count: number): Promise<number> {
  const { instance, a } = books(context);
  const add = async (): Promise<unknown> =>
    transact(instance, async (tx) => tx.upsert(a, "{t}alone", (n) => (n ?? 0) + 1), { timeout: "60s" });
  await add(); // opens it
  const begun = instance.time.monotonic();
  for (let i = 0; i < 8; i++) await add();
  return Math.max(20_000, (count / 8) * (instance.time.monotonic() - begun));
}

const valueOf = async <T>(entry: Promise<{ readonly value: T } | undefined>): Promise<T | undefined> =>
  (await entry)?.value;

/** Many who change one entry at the same time. */
export const crowdCases: readonly Case[] = [
  {
    title: "a thousand upserts of one key at once all succeed, each told the value that it made",
    proves: "state 3: callers of one process are combined",
    when: keeps,
    async run(context) {
      const store = storeOf<number>(context);
      await store.delete("k");
      const timeout = 20 * context.unit;
      const seen = await times(1_000, async (i) =>
        valueOf(store.upsert("k", i % 7 === 0 ? async (n) => (n ?? 0) + 1 : (n) => (n ?? 0) + 1, { timeout })),
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
      const calls = ["a", "b", "c", "d", "e"].map(async (letter) =>
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
];
