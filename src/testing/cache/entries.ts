import assert from "node:assert/strict";
import { Cache } from "../../cache/index.ts";
import { Instance } from "../../client/index.ts";
import type { Case } from "../suite.ts";
import { behind, cacheOf, entries, gate, inProcess, keeps, line, loaded, toldOf } from "./client.ts";

/** Several entries at once, each on terms of its own; what is taken out; what is there. */
export const entryCases: readonly Case[] = [
  {
    title: "setMany takes a ttl and tags for each entry, and those of the call for the others",
    proves: "caches: setMany",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const [one, two] = [cacheOf<number>(context), cacheOf<number>(context)];
      const written = await one.setMany(
        [
          ["pair", 1],
          { key: "short", value: 2, ttl: 4 * unit },
          { key: "own", value: 3, tags: ["x"] },
          { key: "none", value: 4, tags: [], ttl: "never" },
          ["pair", 5],
        ],
        { tags: ["all"] },
      );
      assert.deepEqual([written, one.stats().sets], [true, 4]);
      const keys = ["pair", "short", "own", "none"];
      assert.deepEqual([...(await two.getMany(keys)).values()], [5, 2, 3, 4]);
      await place.elapse(4 * unit + unit / 2);
      assert.deepEqual([...(await two.getMany(keys)).keys()], ["pair", "own", "none"]);
      await two.invalidateTags(["all"]);
      assert.deepEqual([...(await one.getMany(keys)).keys()], ["own", "none"]);
      await two.invalidateTags(["x"]);
      assert.deepEqual([...(await one.getMany(keys)).keys()], ["none"]);
      const bare = cacheOf<number>(context, { ttl: undefined }, "bare");
      await assert.rejects(bare.setMany([{ key: "a", value: 1, ttl: "1m" }, ["b", 1]]), { code: "INVALID_ARGUMENT" });
      await assert.rejects(bare.setMany([{ key: "a", value: 1, ttl: "1m" }, null as never]), {
        code: "INVALID_ARGUMENT",
      });
      assert.equal(await bare.has("a"), false);
      assert.equal(await bare.setMany([{ key: "a", value: 1, ttl: "1m" }]), true);
      assert.equal(await bare.get("a"), 1);
    },
  },
  {
    title: "of many who take an entry at once one gets it, and no load brings it back",
    proves: "caches: take",
    when: keeps,
    async run(context) {
      const caches = [cacheOf<string>(context), cacheOf<string>(context)];
      const [one, two] = caches as [Cache<string>, Cache<string>];
      for (let round = 0; round < 3; round++) {
        await one.set("k", "value", { tags: ["t"] });
        const taken = await Promise.all(caches.flatMap((cache) => [cache.take("k"), cache.take("k")]));
        assert.deepEqual([taken.filter((value) => value === "value").length, await two.get("k")], [1, undefined]);
      }
      await one.set("k", "stale", { tags: ["t"] });
      await two.invalidateTags(["t"]);
      assert.equal(await one.take("k"), undefined, "what a tag has ended is absent");
      assert.equal(await two.getOrSet("k", ({ stale }) => stale ?? "none"), "none", "and gone");
      await two.clear();
      const { load, started, end } = gate<string>();
      const loading = loaded(one, "k", load);
      await started;
      assert.equal(await two.take("k"), undefined);
      end.resolve("late");
      assert.deepEqual([await loading, await one.get("k")], ["late", undefined]);
      assert.equal(await loaded(one, "k", () => "next"), "next");
      assert.equal(await one.take("k"), "next");
      assert.equal(one.stats().deletes > 0, true);
    },
  },
  {
    title: "a value that cannot be read is not given, and gone all the same",
    proves: "caches: a value that cannot be read is a miss and an event",
    when: keeps,
    async run(context) {
      const cache = cacheOf<number>(context);
      const key = { space: entries, key: "k" };
      await behind(context, [{ op: "set", key, id: "not ours", value: "{" }]);
      const told = toldOf(cache, "error", "k");
      assert.equal(await cache.take("k"), undefined);
      assert.equal((await told).operation, "take");
      assert.equal(await cache.has("k"), false);
    },
  },
  {
    title: "deleteMany removes each key once, and tells how many there were",
    proves: "caches: deleteMany",
    when: keeps,
    async run(context) {
      const [one, two] = [cacheOf<number>(context), cacheOf<number>(context)];
      await one.setMany(["a", "b", "c"].map((key) => [key, 1]));
      assert.equal(await two.deleteMany(["a", "b", "b", "none"]), 2);
      assert.deepEqual([await one.hasMany(["c", "a", "b", "none"]), two.stats().deletes], [new Set(["c"]), 2]);
      assert.equal(await two.deleteMany([]), 0);
      await assert.rejects(two.deleteMany(["c", ""]), { code: "INVALID_ARGUMENT" });
      const { load, started, end } = gate<number>();
      const loading = loaded(one, "a", load);
      await started;
      await two.deleteMany(["a", "c"]);
      end.resolve(2);
      assert.deepEqual([await loading, await one.hasMany(["a", "c"])], [2, new Set()]);
    },
  },
  {
    title: "has and hasMany tell what is there and current, and count nothing",
    proves: "caches: has",
    when: keeps,
    async run(context) {
      const cache = cacheOf<number>(context);
      await cache.setMany([["a", 1], { key: "b", value: 1, tags: ["t"] }, ["c", 1]]);
      assert.deepEqual([...(await cache.hasMany(["c", "none", "b", "a", "a"]))], ["c", "b", "a"]);
      await cache.invalidateTags(["t"]);
      await cache.delete("c");
      assert.deepEqual(await Promise.all(["a", "b", "c"].map((key) => cache.has(key))), [true, false, false]);
      const { hits, misses } = cache.stats();
      assert.deepEqual([hits, misses], [0, 0]);
      await assert.rejects(cache.hasMany("a"), { code: "INVALID_ARGUMENT" });
    },
  },
  {
    title: "while the store is away nothing is said to be there, and what ends entries rejects",
    proves: "caches: what ends entries does not fail open",
    when: (capabilities) => keeps(capabilities) && !inProcess(capabilities),
    async run(context) {
      const cut = line(context);
      const cache = new Cache<number>(new Instance(cut.backend), "values", { ttl: "1h", timeout: "20s" });
      await cache.setMany([
        ["a", 1],
        ["b", 1],
      ]);
      cut.refuse();
      assert.deepEqual(await cache.hasMany(["a", "b"]), new Set());
      assert.equal(await cache.getEntry("a"), undefined);
      assert.equal(await cache.touch("a", "1h"), false);
      await assert.rejects(cache.deleteMany(["a", "b"]), { code: "UNAVAILABLE" });
      await assert.rejects(cache.take("a"), { code: "UNAVAILABLE" });
      cut.restore();
      assert.equal(await cache.take("a"), 1, "it is asked again first");
      assert.equal(await cache.deleteMany(["a", "b"]), 1);
    },
  },
];
