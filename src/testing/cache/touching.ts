import assert from "node:assert/strict";
import type { Case } from "../suite.ts";
import { behind, cacheOf, gate, keeps, loaded, stamps } from "./client.ts";

/** What is known of an entry, and another end for it. */
export const touchCases: readonly Case[] = [
  {
    title: "getEntry tells the value, the end and the tags of an entry that is current",
    proves: "caches: getEntry",
    when: keeps,
    async run(context) {
      const { unit } = context;
      const [one, two] = [cacheOf<object>(context, { ttl: "1h" }), cacheOf<object>(context)];
      const value = { a: [1] };
      await one.set("tagged", value, { tags: ["x", "a tag", "x"], ttl: 90 * unit });
      await one.set("never", value, { ttl: "never" });
      const tagged = await two.getEntry("tagged");
      assert.deepEqual([tagged?.key, tagged?.value, tagged?.tags], ["tagged", value, ["x", "a tag"]]);
      assert.equal(typeof tagged?.expiresAt, "number");
      const never = await two.getEntry("never");
      assert.deepEqual(never, { key: "never", value, tags: [] });
      assert.ok(!("expiresAt" in never));
      assert.ok(Object.isFrozen(never.value));
      await loaded(one, "loaded", ({ set }) => (set({ tags: ["late"] }), value), { tags: ["early"] });
      assert.deepEqual((await two.getEntry("loaded"))?.tags, ["early", "late"]);
      await one.invalidateTags(["x"]);
      await one.delete("never");
      assert.deepEqual(await Promise.all(["tagged", "never", "none"].map((key) => two.getEntry(key))), [
        undefined,
        undefined,
        undefined,
      ]);
      const { hits, misses } = two.stats();
      assert.deepEqual([hits, misses], [3, 3]);
      await assert.rejects(two.getEntry(""), { code: "INVALID_ARGUMENT" });
    },
  },
  {
    title: "touch gives an entry another end, and leaves its value and its tags",
    proves: "caches: touch",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const [one, two] = [cacheOf<string>(context), cacheOf<string>(context)];
      const keys = ["longer", "shorter", "never", "as it was"];
      for (const key of keys) await one.set(key, key, { ttl: 60 * unit, tags: ["t", key] });
      const endOf = async (key: string): Promise<number> => (await one.getEntry(key))?.expiresAt ?? Infinity;
      const end = await endOf("as it was");
      assert.deepEqual(
        await Promise.all([
          two.touch("longer", 120 * unit),
          two.touch("shorter", 2 * unit),
          two.touch("never", "never"),
        ]),
        [true, true, true],
      );
      await place.elapse(2 * unit + unit / 2);
      assert.deepEqual([...(await one.hasMany(keys))], ["longer", "never", "as it was"]);
      assert.equal(await endOf("as it was"), end);
      assert.ok((await endOf("longer")) > end + 50 * unit);
      assert.deepEqual((await one.getEntry("never"))?.tags, ["t", "never"]);
      assert.equal((await one.getEntry("never"))?.expiresAt, undefined);
      await one.invalidateTags(["longer", "as it was"]);
      assert.deepEqual([...(await two.hasMany(keys))], ["never"]);
      await one.clear();
      assert.equal(await two.has("never"), false);
    },
  },
  {
    title: "touch finds no entry that is gone: expired, deleted, taken, ended by a tag or by clear",
    proves: "caches: touch, stale is absent",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const [one, two] = [cacheOf<number>(context), cacheOf<number>(context)];
      await one.setMany([{ key: "short", value: 1, ttl: 2 * unit }, ["deleted", 1], ["taken", 1]]);
      await one.set("tagged", 1, { tags: ["t"] });
      await one.delete("deleted");
      await one.take("taken");
      await one.invalidateTags(["t"]);
      await place.elapse(2 * unit + unit / 2);
      const keys = ["short", "deleted", "taken", "tagged", "none"];
      assert.deepEqual(
        await Promise.all(keys.map((key) => two.touch(key, "never"))),
        keys.map(() => false),
      );
      await one.set("cleared", 1);
      await one.clear();
      assert.equal(await two.touch("cleared", "never"), false);
      assert.equal((await two.hasMany([...keys, "cleared"])).size, 0);
      for (const ttl of [0, -1, "soon", undefined]) {
        await assert.rejects(two.touch("none", ttl as never), { code: "INVALID_ARGUMENT" });
      }
      await assert.rejects(two.touch("", "1m"), { code: "INVALID_ARGUMENT" });
    },
  },
  {
    title: "a load is kept that runs while another touches what was there, and one of a key that was touched",
    proves: "caches: touch leaves loads alone",
    when: keeps,
    async run(context) {
      const [one, two] = [cacheOf<string>(context), cacheOf<string>(context)];
      await one.set("k", "before", { tags: ["t"] });
      await one.invalidateTags(["t"]);
      const { load, started, end } = gate<string>();
      const loading = loaded(one, "k", load);
      await started;
      assert.equal(await two.touch("k", "1h"), false);
      end.resolve("loaded");
      assert.equal(await loading, "loaded");
      assert.equal(await two.get("k"), "loaded");
      assert.equal(await two.touch("k", "2h"), true);
      assert.equal(await one.get("k"), "loaded");
      // What keeps the load of a deleted key from being kept must not end sooner for a touch.
      await one.delete("k");
      assert.equal(await two.touch("k", 1), false);
      const after = gate<string>();
      const late = loaded(one, "k", after.load);
      await after.started;
      await two.delete("k");
      assert.equal(await two.touch("k", 1), false);
      after.end.resolve("late");
      await late;
      assert.equal(await two.get("k"), undefined);
    },
  },
  {
    title: "the versions of its tags live as long as an entry that was touched",
    proves: "caches: a missing stamp is a miss",
    when: keeps,
    async run(context) {
      const cache = cacheOf<number>(context);
      await cache.set("k", 1, { tags: ["t"] });
      assert.equal(await cache.touch("k", "90d"), true);
      // Without an end of their own before that of the entry: shown by giving it none.
      assert.equal(await cache.touch("k", "never"), true);
      const backend = context.place.backend();
      await backend.open();
      const call = { deadline: backend.time.monotonic() + 20_000, claim: () => true };
      for (const key of ["c", "tt"]) {
        const get = { op: "get", key: { space: stamps, key } } as const;
        const [outcome] = await backend.session().execute([{ ops: [get] }], call);
        const record = outcome?.ok ? outcome.results[0] : undefined;
        assert.ok(typeof record === "object" && "id" in record && record.expiresAt === undefined, key);
      }
      await behind(context, [{ op: "delete", key: { space: stamps, key: "tt" } }]);
      assert.equal(await cache.touch("k", "1h"), false);
    },
  },
];
