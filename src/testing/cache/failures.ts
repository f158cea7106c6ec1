import assert from "node:assert/strict";
import { drawId } from "../../base/ids.ts";
import { Cache, type CacheEvents } from "../../cache/index.ts";
import { Instance } from "../../client/index.ts";
import type { Case } from "../suite.ts";
import type { Space } from "../../base/keys.ts";
import { behind, cacheOf, calm, entries, gate, inProcess, keeps, loaded, stamps } from "./client.ts";

/** Failures, ends and bounds. */
export const failureCases: readonly Case[] = [
  {
    title: "a value that cannot be read is a miss of that key alone, and is replaced",
    proves: "caches: a value that cannot be read is a miss and an event",
    when: keeps,
    async run(context) {
      const cache = cacheOf<number>(context);
      const errors: CacheEvents["error"][] = [];
      cache.on("error", (event) => errors.push(event));
      await cache.setMany([
        ["good", 1],
        ["bad", 2],
      ]);
      await behind(context, [
        { op: "set", key: { space: entries, key: "bad" }, id: drawId(), value: "{not json", ttl: 600_000 },
      ]);
      assert.deepEqual([...(await cache.getMany(["good", "bad"]))], [["good", 1]]);
      assert.equal(await cache.get("bad"), undefined);
      assert.deepEqual(
        errors.map(({ operation, key, error }) => [operation, key, (error as { code?: string }).code]),
        [
          ["getMany", "bad", "CORRUPT_VALUE"],
          ["get", "bad", "CORRUPT_VALUE"],
        ],
      );
      assert.equal(await loaded(cache, "bad", () => 3), 3);
      assert.equal(errors.length, 3);
      assert.equal(cache.stats().misses, 3);
      assert.equal(await cacheOf(context).get("bad"), 3);
    },
  },
  {
    title: "closing waits for a load, and refuses calls from then on",
    proves: "every call 7: close",
    async run({ place }) {
      const instance = new Instance(place.backend());
      const cache = new Cache<string>(instance, "values", { ttl: "1h", ...calm });
      const { load, started, end } = gate<string>();
      const value = cache.getOrSet("k", load);
      await started;
      const closed = instance.close(600_000);
      await assert.rejects(
        cache.getOrSet("another", () => assert.fail("no new loads")),
        { code: "UNAVAILABLE" },
      );
      end.resolve("loaded");
      assert.equal(await value, "loaded");
      await closed;
      await assert.rejects(cache.get("k"), { code: "UNAVAILABLE" });
      await assert.rejects(cache.set("k", "value"), { code: "UNAVAILABLE" });
      assert.throws(() => cache.peek("k"), { code: "UNAVAILABLE" });
    },
  },
  {
    title: "closing gives up a load that takes too long",
    proves: "every call 7: close",
    async run({ place }) {
      const instance = new Instance(place.backend());
      const cache = new Cache<string>(instance, "values", { ttl: "1h", ...calm });
      const { load, started } = gate<string>();
      let signal: AbortSignal | undefined;
      const value = cache.getOrSet("k", async (given) => {
        ({ signal } = given);
        return load();
      });
      await started;
      const refused = assert.rejects(value, { code: "UNAVAILABLE" });
      const closed = instance.close(1);
      await place.elapse(10);
      await Promise.all([refused, closed]);
      assert.equal(signal?.aborted, true);
    },
  },
  {
    title: "in this process a cache is bounded, and what was not used for longest makes room",
    proves: "caches: the in-process tier holds 10,000 items unless told",
    when: inProcess,
    async run(context) {
      const backend = context.place.backend();
      const cache = new Cache<number>(new Instance(backend), "values", { ttl: "never", maxItems: 3 });
      const evicted: string[] = [];
      cache.on("evict", ({ key }) => evicted.push(key));
      await cache.setMany([
        ["a", 1],
        ["b", 2],
        ["c", 3],
      ]);
      assert.equal(await cache.get("a"), 1);
      await cache.set("d", 4);
      assert.deepEqual([...(await cache.getMany(["c", "b", "d", "a"])).keys()], ["c", "d", "a"]);
      assert.equal(cache.peek("c"), 3);
      await cache.getOrSet("e", () => 5);
      assert.deepEqual([...(await cache.getMany(["c", "d", "a", "e"])).keys()], ["c", "a", "e"]);
      assert.deepEqual(evicted, ["b", "d"]);
      for (let i = 0; i < 50; i++) await cache.delete(`gone ${i}`);
      assert.equal((await cache.getMany(["c", "a", "e"])).size, 3);
      await cache.delete("e");
      await cache.set("f", 6);
      assert.equal((await cache.getMany(["c", "a", "f"])).size, 3, "a deleted entry takes no room");
      await cache.delete("a");
      await cache.set("a", 7);
      for (let i = 0; i < 3; i++) await cache.delete(`gone ${i}`);
      assert.equal(await cache.get("a"), 7, "an entry is no longer deleted when it was set again");
      for (let i = 0; i < 50; i++) await cache.set(`new ${i}`, i, { tags: [`tag ${i}`] });
      assert.deepEqual([...(await cache.getMany(["c", "new 47", "new 48", "new 49"])).values()], [47, 48, 49]);
      const other = new Instance(backend);
      const count = async (space: Space): Promise<number> => {
        const { records } = await other.page({ space, prefix: "", limit: 1_000 }, other.ownCall());
        return records.length;
      };
      assert.equal(await count(entries), 6, "entries, and what is left of deleted ones");
      assert.ok((await count(stamps)) <= 4 + 30, "stamps, and the records of the sweep");
    },
  },
];
