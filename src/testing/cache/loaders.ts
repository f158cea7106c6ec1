import assert from "node:assert/strict";
import { deferred } from "../../base/async.ts";
import { isHoldfastError } from "../../base/errors.ts";
import type { Cache } from "../../cache/index.ts";
import type { Case } from "../suite.ts";
import { cacheOf, gate, keeps } from "./client.ts";

const slack = 50;
const ring = { code: "LOAD_DEADLOCK" };

/** Loaders that would never end. */
export const loaderCases: readonly Case[] = [
  {
    title: "a loader that asks for its own key gets an error at once, and the key is free",
    proves: "every call 1: it ends",
    async run(context) {
      const cache = cacheOf<number>(context);
      const own = async (key: string): Promise<number> => cache.getOrSet(key, async () => own(key));
      const message = 'a loader waits for itself: values "a" -> values "a"';
      await assert.rejects(own("a"), { ...ring, key: "a", message, ring: ['values "a"', 'values "a"'] });
      assert.equal(await cache.getOrSet("a", async () => own("a").catch(() => 1)), 1);
      await cache.delete("a");
      const many = async (): Promise<Map<string, number>> => cache.getOrSetMany(["a", "b"], many);
      await assert.rejects(many, ring);
      const bulk = cache.getOrSetMany(["a", "b"], async () => new Map([["a", await own("b")]]));
      await assert.rejects(bulk, ring);
      await assert.rejects(
        cache.getOrSet("a", async () => (await cache.getOrSetMany(["b", "a"], () => assert.fail())).size),
        ring,
      );
      assert.equal(await cache.getOrSet("b", () => 2), 2);
    },
  },
  {
    title: "so does one that asks for itself through others, of other caches too",
    proves: "every call 1: it ends",
    async run(context) {
      const [one, two] = [cacheOf<number>(context), cacheOf<number>(context, {}, "other")];
      const a = async (): Promise<number> => one.getOrSet("a", b);
      const b = async (): Promise<number> => two.getOrSet("a", async () => one.getOrSet("b", a));
      const names = ['values "b"', 'values "a"', 'other "a"', 'values "b"'];
      await assert.rejects(a, { ...ring, ring: names });
      assert.equal(await one.getOrSet("b", () => 1), 1);
    },
  },
  {
    title: "so do loaders of different callers that wait for each other",
    proves: "every call 1: it ends",
    async run(context) {
      const cache = cacheOf<number>(context);
      const both = deferred<void>();
      const started = [deferred<void>(), deferred<void>()] as const;
      const ask = async (i: 0 | 1): Promise<number> =>
        cache.getOrSet(String(i), async () => {
          started[i].resolve();
          await both.promise;
          return cache.getOrSet(String(1 - i), () => assert.fail("it is on its way"));
        });
      const all = Promise.allSettled([ask(0), ask(1)]);
      await Promise.all(started.map(async ({ promise }) => promise));
      const joined = cache.getOrSet("0", () => assert.fail("it is on its way"));
      both.resolve();
      await assert.rejects(joined, ring);
      for (const one of await all) {
        assert.equal(one.status === "rejected" && (one.reason as { code?: string }).code, "LOAD_DEADLOCK");
      }
    },
  },
  {
    title: "loaders that wait for others that end are left alone",
    proves: "caches: getOrSet",
    async run(context) {
      const cache = cacheOf<number>(context);
      const bottom = gate<number>();
      const of = async (key: string): Promise<number> =>
        cache.getOrSet(key, async () => cache.getOrSet("d", bottom.load));
      const top = cache.getOrSet("a", async () => {
        const [b, c, many] = await Promise.all([of("b"), of("c"), cache.getOrSetMany(["b", "c"], () => assert.fail())]);
        return b + c + many.size;
      });
      await bottom.started;
      bottom.end.resolve(1);
      assert.equal(await top, 4);
      assert.equal(bottom.runs(), 1);
      // What a loader has left behind is no loader any more.
      const later = deferred<void>();
      let left: Promise<number> | undefined;
      await cache.getOrSet("e", ({ skip }) => {
        skip();
        left = later.promise.then(async () => cache.getOrSet("e", async () => cache.getOrSet("f", () => 2)));
        return 1;
      });
      later.resolve();
      assert.equal(await left, 2);
    },
  },
  {
    title: "a loader that takes longer than it may is given up: the key is free, and what it gives later is dropped",
    proves: "every call 1: it ends",
    async run(context) {
      const { place, unit } = context;
      const asks: ((cache: Cache<string>, load: (signal: AbortSignal) => Promise<string>) => Promise<unknown>)[] = [
        async (cache, load) => cache.getOrSet("k", async ({ signal }) => load(signal), { loadTimeout: unit }),
        async (cache, load) =>
          cache.getOrSetMany(["k", "l"], async (_, { signal }) => new Map([["k", await load(signal)]]), {
            loadTimeout: unit,
          }),
      ];
      for (const ask of asks) {
        const cache = cacheOf<string>(context, { loadTimeout: 1_000 * unit });
        const outcomes: string[] = [];
        cache.on("load", ({ key, outcome }) => outcomes.push(`${key} ${outcome}`));
        const { load, started, end } = gate<string>();
        let signal: AbortSignal | undefined;
        const first = ask(cache, async (given) => {
          signal = given;
          return load();
        });
        await started;
        const waits = [first, cache.getOrSet("k", () => assert.fail("it is on its way"))];
        const rejected = Promise.all(
          waits.map(async (wait) => assert.rejects(wait, { code: "LOAD_TIMEOUT", key: "k" })),
        );
        await place.elapse(unit + slack);
        await rejected;
        assert.ok(isHoldfastError(signal?.reason, "LOAD_TIMEOUT"));
        assert.equal(await cache.getOrSet("k", ({ skip }) => (skip(), "new")), "new");
        const before = outcomes.length;
        end.resolve("late");
        await place.elapse(slack);
        assert.equal(await cache.has("k"), false);
        assert.equal(outcomes.length, before);
        assert.equal(outcomes[0], "k failed");
      }
    },
  },
  {
    title: "a loader that ends in time is not given up",
    proves: "every call 1: it ends",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const cache = cacheOf<string>(context, { loadTimeout: unit });
      assert.equal(await cache.getOrSet("k", () => "value"), "value");
      await place.elapse(unit + slack);
      assert.equal(await cache.get("k"), "value");
      const { load, started, end } = gate<string>();
      const slow = cache.getOrSet("slow", load, { loadTimeout: 100 * unit });
      await started;
      await place.elapse(unit + slack);
      end.resolve("in time");
      assert.equal(await slow, "in time");
    },
  },
  {
    title: "bounds of time that are none are refused",
    proves: "every call 4: bad input is refused early",
    async run(context) {
      const cache = cacheOf<string>(context);
      for (const bad of [0, -1, Number.NaN, Infinity, "soon", null] as number[]) {
        const refused = { code: "INVALID_ARGUMENT" };
        assert.throws(() => cacheOf(context, { loadTimeout: bad }), refused);
        assert.throws(() => cacheOf(context, { timeout: bad }), refused);
        const never = (): never => assert.fail("refused first");
        await assert.rejects(cache.getOrSet("k", never, { loadTimeout: bad }), refused);
        await assert.rejects(cache.getOrSetMany(["k"], never, { loadTimeout: bad }), refused);
        await assert.rejects(cache.getOrSet("k", never, { timeout: bad }), refused);
      }
      const options = { loadTimeout: undefined, timeout: undefined };
      assert.equal(await cacheOf<string>(context, options).getOrSet("k", () => "v", options), "v");
    },
  },
];
