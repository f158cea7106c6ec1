import assert from "node:assert/strict";
import type { Case } from "../suite.ts";
import { cacheOf, keeps } from "./client.ts";

const falsy = new Map<string, unknown>([
  ["zero", 0],
  ["minus zero", -0],
  ["nothing", ""],
  ["no", false],
  ["null", null],
  ["nan", Number.NaN],
]);

/** Values, keys, ttl. */
export const valueCases: readonly Case[] = [
  {
    title: "what was set is found, by every instance, until it is deleted",
    proves: "caches: get, set, delete, has",
    when: keeps,
    async run(context) {
      const [one, two] = [cacheOf(context), cacheOf(context)];
      assert.equal(await one.get("k"), undefined);
      assert.equal(await one.has("k"), false);
      assert.equal(await one.delete("k"), false);
      assert.equal(await one.set("k", { a: [1] }), true);
      assert.deepEqual(await two.get("k"), { a: [1] });
      assert.equal(await two.has("k"), true);
      await two.set("k", { a: [2] });
      assert.deepEqual(await one.get("k"), { a: [2] });
      assert.equal(await two.delete("k"), true);
      assert.equal(await one.get("k"), undefined);
      assert.equal(await one.has("k"), false);
      assert.equal(await one.delete("k"), false);
    },
  },
  {
    title: "falsy values are values",
    proves: "caches: null is cached",
    when: keeps,
    async run(context) {
      const cache = cacheOf(context);
      assert.equal(await cache.setMany(falsy), true);
      const many = await cache.getMany(falsy.keys());
      assert.deepEqual([...many.keys()], [...falsy.keys()]);
      for (const [key, value] of falsy) {
        assert.ok(Object.is(await cache.get(key), value), key);
        assert.ok(Object.is(many.get(key), value), key);
        assert.equal(await cache.has(key), true, key);
        const loaded = await cache.getOrSet(key, () => assert.fail("a hit runs no loader"));
        assert.ok(Object.is(loaded, value), key);
      }
    },
  },
  {
    title: "undefined is no value: not kept when loaded, refused when set",
    proves: "caches: a loader's undefined is not cached",
    async run(context) {
      const cache = cacheOf<string | undefined>(context);
      assert.equal(await cache.getOrSet("k", () => undefined), undefined);
      assert.equal(await cache.has("k"), false);
      assert.equal(await cache.getOrSet("k", () => "later"), "later");
      await assert.rejects(cache.set("k", undefined), { code: "UNSUPPORTED_VALUE" });
      await assert.rejects(
        cacheOf(context).set("k", () => 1),
        { code: "UNSUPPORTED_VALUE", key: "k" },
      );
    },
  },
  {
    title: "an entry ends with its ttl",
    proves: "caches: ttl",
    when: keeps,
    async run(context) {
      const cache = cacheOf(context);
      await cache.set("long", 2);
      await cache.set("always", 3, { ttl: "never" });
      await cache.set("short", 1, { ttl: context.unit });
      assert.equal(await cache.get("short"), 1);
      await context.place.elapse(context.unit + 1);
      assert.equal(await cache.get("short"), undefined);
      assert.equal(await cache.has("short"), false);
      assert.deepEqual(
        [...(await cache.getMany(["short", "long", "always"]))],
        [
          ["long", 2],
          ["always", 3],
        ],
      );
    },
  },
  {
    title: "an entry without a ttl is refused",
    proves: 'caches: ttl is required or "never"',
    async run(context) {
      const cache = cacheOf(context, { ttl: undefined });
      const refused = { code: "INVALID_ARGUMENT", message: /ttl is required/ };
      await assert.rejects(cache.set("k", 1), refused);
      await assert.rejects(cache.setMany([["k", 1]]), refused);
      await assert.rejects(async () => cache.getOrSet("k", () => assert.fail("refused first")), refused);
      await assert.rejects(async () => cache.getOrSetMany(["k"], () => assert.fail("refused first")), refused);
      assert.equal(await cache.set("k", 1, { ttl: "1h" }), true);
    },
  },
  {
    title: "bad input is refused early",
    proves: "every call 4: bad input",
    async run(context) {
      const cache = cacheOf(context);
      const refused = { code: "INVALID_ARGUMENT" };
      for (const key of ["", "\ud800", "x".repeat(1_025), 7 as unknown as string]) {
        await assert.rejects(cache.get(key), refused);
        await assert.rejects(cache.set(key, 1), refused);
        await assert.rejects(cache.delete(key), refused);
        await assert.rejects(cache.getMany(["k", key]), refused);
        await assert.rejects(
          cache.setMany([
            ["k", 1],
            [key, 1],
          ]),
          refused,
        );
        await assert.rejects(cache.invalidateTags([key]), refused);
        assert.throws(() => cache.peek(key), refused);
      }
      await assert.rejects(cache.set("k", 1, { ttl: 0 }), refused);
      await assert.rejects(cache.set("k", 1, { ttl: "soon" }), refused);
      await assert.rejects(cache.set("k", 1, { tags: "tag" as unknown as string[] }), refused);
      const tags = Array.from({ length: 65 }, (_, i) => `tag ${i}`);
      await assert.rejects(cache.set("k", 1, { tags }), refused);
      await assert.rejects(
        cache.getOrSet("k", ({ set }) => {
          set({ tags });
          return 1;
        }),
        refused,
      );
      await assert.rejects(
        cache.getOrSet(
          "k",
          ({ set }) => {
            set({ tags: tags.slice(60) });
            return 1;
          },
          { tags: tags.slice(0, 60) },
        ),
        refused,
      );
      await assert.rejects(cache.getOrSet("k", 1 as unknown as () => number), refused);
      assert.equal(await cache.has("k"), false);
    },
  },
  {
    title: "service, name and key part entries, whatever their characters",
    proves: "every call 4: (a, b:c) and (a:b, c) differ",
    when: keeps,
    async run(context) {
      const caches = [
        cacheOf(context, { service: "a" }, "b:c"),
        cacheOf(context, { service: "a:b" }, "c"),
        cacheOf(context, {}, "a"),
        cacheOf(context, {}, "a:b"),
        cacheOf(context, { service: "A" }, "b:c"),
      ];
      const keys = ["k", "b:c", "b", "K", "é", "e\u0301", "{k}", "k ", "\u0000", "💡", "x".repeat(1_024)];
      for (const [i, cache] of caches.entries()) {
        await cache.setMany(keys.map((key) => [key, `${i} ${key}`] as const));
      }
      for (const [i, cache] of caches.entries()) {
        for (const key of keys) assert.equal(await cache.get(key), `${i} ${key}`);
      }
      await caches[0]?.clear();
      assert.equal(await caches[0]?.get("k"), undefined);
      assert.equal(await caches[1]?.get("k"), "1 k");
    },
  },
  {
    title: "a frozen value is frozen all the way down",
    proves: "caches: isolate freeze",
    when: keeps,
    async run(context) {
      const cache = cacheOf<{ list: { n: number }[] }>(context);
      const mine = { list: [{ n: 1 }] };
      const set = cache.set("k", mine);
      mine.list[0] = { n: 2 };
      await set;
      const got = await cache.get("k");
      assert.deepEqual(got, { list: [{ n: 1 }] });
      assert.ok(got && Object.isFrozen(got) && Object.isFrozen(got.list) && Object.isFrozen(got.list[0]));
      assert.ok(!Object.isFrozen(mine));
      const loaded = await cache.getOrSet("other", () => mine);
      assert.ok(Object.isFrozen(loaded.list[0]) && !Object.isFrozen(mine.list));
    },
  },
  {
    title: "what cannot be frozen is each caller's own copy",
    proves: "caches: isolate freeze",
    async run(context) {
      const cache = cacheOf<{ at: Date; by: Map<string, number[]> }>(context);
      const value = { at: new Date(5), by: new Map([["a", [1]]]) };
      const [one, two] = await Promise.all([
        cache.getOrSet("k", async () => value),
        cache.getOrSet("k", async () => value),
      ]);
      assert.deepEqual(one, value);
      assert.notEqual(one, two);
      one.by.get("a")?.push(2);
      one.at.setTime(6);
      assert.deepEqual(two, { at: new Date(5), by: new Map([["a", [1]]]) });
      assert.deepEqual(value, two);
    },
  },
  {
    title: "a clone is each caller's own",
    proves: "caches: isolate clone",
    async run(context) {
      const cache = cacheOf<number[]>(context, { isolate: "clone" });
      const value = [1];
      const [one, two] = await Promise.all([
        cache.getOrSet("k", async () => value),
        cache.getOrSet("k", async () => value),
      ]);
      one.push(2);
      assert.deepEqual([two, value], [[1], [1]]);
      assert.deepEqual((await cache.get("k")) ?? [1], [1]);
    },
  },
  {
    title: "a reference is the loader's own object, for all who waited",
    proves: "caches: isolate reference",
    async run(context) {
      const cache = cacheOf<number[]>(context, { isolate: "reference" });
      const value = [1];
      const all = await Promise.all([cache.getOrSet("k", async () => value), cache.getOrSet("k", async () => value)]);
      assert.ok(all.every((one) => one === value));
    },
  },
];
