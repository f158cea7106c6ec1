import assert from "node:assert/strict";
import { isHoldfastError } from "../../base/errors.ts";
import type { CacheEvents } from "../../cache/index.ts";
import type { Case } from "../suite.ts";
import { cacheOf, gate, keeps, loaded } from "./client.ts";

const fifty = Array.from({ length: 50 });

/** Loads: shared, aborted, failed. */
export const loadCases: readonly Case[] = [
  {
    title: "fifty callers share one run",
    proves: "caches: the loader runs once for all who ask at the same time",
    async run(context) {
      const cache = cacheOf(context);
      const { load, runs, end, started } = gate<string>();
      const all = Promise.all(fifty.map(async () => cache.getOrSet("k", load)));
      await started;
      end.resolve("value");
      assert.deepEqual(new Set(await all), new Set(["value"]));
      assert.equal(runs(), 1);
      assert.equal(cache.stats().loads, 1);
      assert.equal(cache.stats().shared, 49);
    },
  },
  {
    title: "a loaded value is kept, for every instance",
    proves: "caches: getOrSet",
    when: keeps,
    async run(context) {
      const cache = cacheOf(context);
      assert.equal(await loaded(cache, "k", async ({ key }) => `${key}1`), "k1");
      assert.equal(await cacheOf(context).getOrSet("k", () => assert.fail("it is there")), "k1");
      const { loads, hits, misses, sets } = cache.stats();
      assert.deepEqual({ loads, hits, misses, sets }, { loads: 1, hits: 0, misses: 1, sets: 1 });
    },
  },
  {
    title: "a store that keeps nothing loads every time",
    proves: "caches: Null keeps nothing",
    when: (capabilities) => !keeps(capabilities),
    async run(context) {
      const cache = cacheOf<number>(context);
      let runs = 0;
      assert.equal(await cache.getOrSet("k", () => ++runs), 1);
      assert.equal(await cache.getOrSet("k", () => ++runs, { tags: ["t"] }), 2);
      await cache.set("k", 9);
      assert.equal(await cache.get("k"), undefined);
      assert.equal(await cache.delete("k"), false);
      await cache.invalidateTags(["t"]);
      await cache.clear();
      assert.equal(cache.stats().errors, 0);
    },
  },
  {
    title: "an error reaches all who wait and is not kept",
    proves: "caches: a rejected load reaches all who wait and is not kept",
    async run(context) {
      const cache = cacheOf<string>(context);
      const { load, runs, end, started } = gate<string>();
      const all = Promise.allSettled(fifty.map(async () => cache.getOrSet("k", load)));
      await started;
      const error = new Error("no price");
      end.reject(error);
      for (const one of await all) assert.ok(one.status === "rejected" && one.reason === error);
      assert.equal(runs(), 1);
      assert.equal(await cache.has("k"), false);
      assert.equal(await cache.getOrSet("k", async () => "again"), "again");
      const throwing = async () =>
        cache.getOrSet("other", () => {
          throw error;
        });
      await assert.rejects(throwing, error);
      assert.equal(cache.stats().loadErrors, 2);
    },
  },
  {
    title: "an abort ends one wait; the load goes on for the others",
    proves: "every call 1: it ends by its signal",
    async run(context) {
      const cache = cacheOf<string>(context);
      const { load, started, end } = gate<string>();
      const leaving = new AbortController();
      let signal: AbortSignal | undefined;
      const run = async (given: { signal: AbortSignal }): Promise<string> => {
        ({ signal } = given);
        return load();
      };
      const one = cache.getOrSet("k", run, { signal: leaving.signal });
      const two = cache.getOrSet("k", run, { signal: new AbortController().signal });
      await started;
      leaving.abort(new Error("left"));
      await assert.rejects(one, /left/);
      assert.equal(signal?.aborted, false);
      end.resolve("value");
      assert.equal(await two, "value");
      assert.equal(signal?.aborted, false);
    },
  },
  {
    title: "the loader is aborted when all have left, and the next caller has a load of its own",
    proves: "caches: the loader gets a signal",
    async run(context) {
      const cache = cacheOf<string>(context);
      const { load, started } = gate<string>();
      const leaving = [new AbortController(), new AbortController()];
      let signal: AbortSignal | undefined;
      const waits = leaving.map(async (one) =>
        cache.getOrSet(
          "k",
          async (given) => {
            ({ signal } = given);
            return load();
          },
          { signal: one.signal },
        ),
      );
      await started;
      for (const one of leaving) one.abort(new Error("left"));
      for (const wait of waits) await assert.rejects(wait, /left/);
      assert.equal(signal?.aborted, true);
      assert.match(String(signal?.reason), /left/);
      assert.equal(await cache.getOrSet("k", () => "new"), "new");
      const aborted = AbortSignal.abort(new Error("before"));
      await assert.rejects(
        cache.getOrSet("other", () => assert.fail("not started"), { signal: aborted }),
        /before/,
      );
    },
  },
  {
    title: "a loader may skip, and set ttl and tags",
    proves: "caches: the loader gets { set({ ttl, tags }), skip() }",
    when: keeps,
    async run(context) {
      const cache = cacheOf<string>(context);
      assert.equal(await cache.getOrSet("skipped", ({ skip }) => (skip(), "value")), "value");
      assert.equal(await cache.has("skipped"), false);
      await cache.getOrSet("tagged", ({ set }) => (set({ tags: ["late"] }), "value"), { tags: ["early"] });
      await cache.getOrSet("too", ({ set }) => (set({ tags: ["late"] }), "value"), { tags: ["early"] });
      await cache.getOrSet("short", ({ set }) => (set({ ttl: context.unit }), "value"));
      assert.equal(await cache.get("short"), "value");
      await context.place.elapse(context.unit + 1);
      assert.equal(await cache.get("short"), undefined);
      assert.equal(await cache.get("tagged"), "value");
      await cache.invalidateTags(["late"]);
      assert.equal(await cache.get("tagged"), undefined);
      await cache.getOrSet("tagged", ({ set }) => (set({ tags: ["late"] }), "value"), { tags: ["early"] });
      assert.equal(await cache.get("tagged"), "value");
      await cache.invalidateTags(["early"]);
      assert.equal(await cache.get("tagged"), undefined);
      await assert.rejects(
        cache.getOrSet("bad", ({ set }) => (set({ ttl: -1 }), "value")),
        { code: "INVALID_ARGUMENT" },
      );
    },
  },
  {
    title: "a value that cannot be stored is returned and not kept",
    proves: "caches: a cache fails open",
    async run(context) {
      const cache = cacheOf<() => number>(context);
      const errors: CacheEvents["error"][] = [];
      cache.on("error", (event) => errors.push(event));
      const value = await cache.getOrSet("k", () => () => 7);
      assert.equal(value(), 7);
      assert.equal(await cache.has("k"), false);
      assert.equal(errors.length, 1);
      assert.ok(isHoldfastError(errors[0]?.error, "UNSUPPORTED_VALUE"));
    },
  },
  {
    title: "many keys: one run for what is neither there nor on its way",
    proves: "caches: getOrSetMany",
    async run(context) {
      const cache = cacheOf<string>(context);
      const { load, started, end } = gate<string>();
      const alone = cache.getOrSet("a", load);
      await started;
      const asked: (readonly string[])[] = [];
      const bulk = gate<ReadonlyMap<string, string>>();
      const many = cache.getOrSetMany(["c", "a", "b", "d", "b"], async (keys) => {
        asked.push(keys);
        return bulk.load();
      });
      await bulk.started;
      const joined = cache.getOrSet("b", () => assert.fail("it is on its way"));
      bulk.end.resolve(
        new Map([
          ["b", "B"],
          ["c", "C"],
        ]),
      );
      end.resolve("A");
      assert.deepEqual(
        [...(await many)],
        [
          ["c", "C"],
          ["a", "A"],
          ["b", "B"],
        ],
      );
      assert.deepEqual(asked, [["c", "b", "d"]]);
      assert.deepEqual(await Promise.all([alone, joined]), ["A", "B"]);
      assert.equal(await cache.has("d"), false);
    },
  },
  {
    title: "many keys: what was loaded is kept, an error reaches every key",
    proves: "caches: getOrSetMany",
    when: keeps,
    async run(context) {
      const cache = cacheOf<string>(context);
      await cache.getOrSetMany(["a", "b"], (keys) => new Map(keys.map((key) => [key, `${key}!`])), { tags: ["t"] });
      assert.deepEqual(
        [...(await cache.getMany(["b", "x", "a"]))],
        [
          ["b", "b!"],
          ["a", "a!"],
        ],
      );
      const error = new Error("down");
      await assert.rejects(
        cache.getOrSetMany(["a", "c", "d"], async () => Promise.reject(error)),
        error,
      );
      assert.deepEqual([...(await cache.getOrSetMany(["a"], () => assert.fail("it is there")))], [["a", "a!"]]);
      await cache.invalidateTags(["t"]);
      assert.equal((await cache.getMany(["a", "b"])).size, 0);
      await assert.rejects(
        cache.getOrSetMany(["a"], () => ({}) as unknown as Map<string, string>),
        { code: "INVALID_ARGUMENT" },
      );
    },
  },
];
