import assert from "node:assert/strict";
import { isHoldfastError } from "../../base/errors.ts";
import type { Cache, GetOrSetOptions } from "../../cache/index.ts";
import type { Case } from "../suite.ts";
import { cacheOn, slack } from "./away.ts";
import { cacheOf, calm, keeps, line, toldOf, writesEntry, type Line } from "./client.ts";

/** Has a store asked again that was too slow for the cache on a busy machine, until it is not skipped any more. */
async function asked(cache: Cache<number>): Promise<void> {
  for (;;) {
    try {
      await cache.delete("none", calm);
      return;
    } catch (error) {
      if (!isHoldfastError(error, "UNAVAILABLE")) throw error;
    }
  }
}

/** Loads an entry whose write is held back, the so manieth: again where the store was too slow for it to be written. */
async function loadHeld(
  store: Line,
  cache: Cache<number>,
  key: string,
  count: number,
  options: GetOrSetOptions,
): Promise<void> {
  for (;;) {
    const over = toldOf(cache, "load", key);
    await cache.getOrSet(key, () => 1, options);
    if (await store.held(count, over)) return;
    await asked(cache);
  }
}

/** What was loaded is written while nobody waits for it. */
export const lateWriteCases: readonly Case[] = [
  {
    title: "nobody waits for what is loaded to be written, and who asks next in this process finds it",
    proves: "caches: no caller waits for a write",
    when: keeps,
    async run(context) {
      const store = line(context);
      const { cache } = await cacheOn(context, store);
      store.hang(writesEntry);
      const told: string[] = [];
      cache.on("load", ({ outcome }) => told.push(outcome));
      assert.equal(await cache.getOrSet("k", ({ set }) => (set({ tags: ["late"] }), 1), calm), 1);
      assert.deepEqual([...(await cache.getOrSetMany(["a"], () => new Map([["a", 2]]), calm))], [["a", 2]]);
      await store.held();
      assert.deepEqual(told, []);
      const found = Promise.all([
        cache.get("k", calm),
        cache.has("k", calm),
        cache.getMany(["a"], calm),
        cache.delete("a", calm),
      ]);
      const kept = toldOf(cache, "load", "a");
      store.restore();
      assert.deepEqual(await found, [1, true, new Map([["a", 2]]), true]);
      await kept;
      assert.deepEqual(told, ["kept", "kept"]);
    },
  },
  {
    title: "what is written late does not win of what was changed before",
    proves: "caches: stamped with versions taken before the load",
    when: keeps,
    async run(context) {
      const { place } = context;
      const ways: [string, number | undefined, (cache: Cache<number>, key: string) => Promise<unknown>][] = [
        ["delete", undefined, async (cache, key) => cache.delete(key, calm)],
        ["set", 2, async (cache, key) => cache.set(key, 2, calm)],
        ["invalidate", undefined, async (cache) => cache.invalidateTags(["t"], calm)],
        ["clear", undefined, async (cache) => cache.clear(calm)],
      ];
      for (const by of ["the same", "another", "another, after it was given up"]) {
        const store = line(context);
        const { cache, patience } = await cacheOn(context, store);
        // Each waits for nothing but its own entry, so all of them can be given up in one wait.
        store.hang(writesEntry);
        const givenUp = by.endsWith("given up");
        const options = { tags: ["t"], timeout: givenUp ? patience : calm.timeout };
        for (const [i, [key]] of ways.entries()) await loadHeld(store, cache, key, i + 1, options);
        if (givenUp) await place.elapse(patience + slack);
        const changing = by === "the same" ? cache : cacheOf<number>(context);
        const changed: Promise<unknown>[] = [];
        for (const [key, , change] of ways.slice(0, 2)) changed.push(change(changing, key));
        if (by === "the same") store.restore();
        await Promise.all(changed);
        for (const [key, left] of ways.slice(0, 2)) {
          if (by !== "the same") assert.equal(await changing.get(key), left, `${key} by ${by}`);
        }
        for (const [key, , change] of ways.slice(2)) await change(changing, key);
        await changing.set("set", 2, calm);
        store.restore();
        await asked(cache);
        // A read of the key waits for the write that was held back.
        for (const [key, left] of ways) assert.equal(await cache.get(key, calm), left, `${key} by ${by}`);
        for (const [key, left] of ways) assert.equal(await changing.get(key, calm), left, `${key} by ${by}`);
        await changing.clear(calm);
      }
    },
  },
  {
    title: "closing waits for what is still being written, and not for ever",
    proves: "every call 7: close",
    when: keeps,
    async run(context) {
      const { place } = context;
      for (const [answers, left] of [
        [true, 1],
        [false, undefined],
      ] as const) {
        const store = line(context);
        const { cache, instance, patience } = await cacheOn(context, store);
        store.hang(writesEntry);
        await cache.getOrSet(`k ${answers}`, () => 1, calm);
        await store.held();
        const closed = instance.close(patience);
        if (answers) store.restore();
        else await place.elapse(3 * patience + slack);
        await closed;
        assert.equal(await cacheOf<number>(context).get(`k ${answers}`), left);
        store.restore();
      }
    },
  },
];
