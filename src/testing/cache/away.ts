import assert from "node:assert/strict";
import { Cache } from "../../cache/index.ts";
import { Instance } from "../../client/index.ts";
import type { Case, CaseContext } from "../suite.ts";
import { cacheOf, calm, gate, keeps, line, toldOf, writesEntry, type Line } from "./client.ts";

/** A timer may come a little later than its time, by the clock of whoever waits for it. */
const slack = 50;

interface Stand {
  readonly instance: Instance;
  readonly cache: Cache<number>;
  /** How long the cache waits for its store, in ms. */
  readonly patience: number;
}

/** A cache on a line of its own, which is open. */
async function cacheOn({ unit }: CaseContext, { backend }: Line): Promise<Stand> {
  const patience = Math.max(2 * unit, 500);
  const instance = new Instance(backend, { timeout: patience });
  await instance.opened(instance.call(calm));
  return { instance, cache: new Cache<number>(instance, "values", { ttl: "1h" }), patience };
}

/** How often the calls that go on without their store skip it: one key each. */
async function goOn(cache: Cache<number>): Promise<number> {
  assert.equal(await cache.get("k"), undefined);
  assert.equal(await cache.has("k"), false);
  assert.deepEqual([...(await cache.getMany(["k"]))], []);
  assert.equal(await cache.set("k", 1), false);
  assert.equal(await cache.setMany([["k", 1]]), false);
  assert.equal(await cache.getOrSet("k", () => 2), 2);
  assert.deepEqual([...(await cache.getOrSetMany(["k"], () => new Map([["k", 3]])))], [["k", 3]]);
  return 7;
}

/** What ends entries must not fail in silence: the old values would live on. */
function changes(cache: Cache<number>): readonly Promise<unknown>[] {
  return [cache.delete("k"), cache.invalidateTags(["t"]), cache.clear()];
}

/** A store that is away: refuses, or does not answer. */
export const awayCases: readonly Case[] = [
  {
    title: "without its store a cache goes on, and tells so once; what ends entries rejects until the store is back",
    proves: "caches: fails open; one that is away is skipped",
    async run(context) {
      const store = line(context);
      const { instance, cache } = await cacheOn(context, store);
      const told: string[] = [];
      instance.events.on("cacheError", ({ cache: name, operation, key }) => told.push(`${name} ${operation} ${key}`));
      instance.events.on("cacheStoreDown", ({ error }) => told.push(`down ${(error as Error).message}`));
      instance.events.on("cacheStoreUp", () => told.push("up"));
      const other = new Cache<number>(instance, "other", { ttl: "1h" });
      const ofOther: string[] = [];
      other.on("storeDown", () => ofOther.push("down"));
      other.on("storeUp", ({ skipped }) => ofOther.push(`up ${skipped}`));
      const up = toldOf(cache, "storeUp");
      store.refuse();
      assert.equal(await cache.set("k", 1), false);
      assert.equal(await cache.get("k"), undefined);
      const skipped = await goOn(cache);
      assert.equal(await other.get("k"), undefined);
      for (const change of changes(cache)) await assert.rejects(change, { code: "UNAVAILABLE" });
      assert.deepEqual(told, ["values set k", "values get k", "down the store is away"]);
      assert.deepEqual([cache.stats().errors, cache.stats().skipped], [2, skipped]);
      assert.equal(cache.peek("k"), undefined);
      store.restore();
      // Asked without a pause, since it must not be skipped.
      assert.equal(await cache.delete("k"), false);
      assert.equal((await up).skipped, skipped);
      assert.deepEqual(told.slice(3), ["up"]);
      assert.deepEqual(ofOther, ["down", "up 1"]);
      assert.equal(await cache.set("k", 4), true);
      assert.equal(await cache.get("k"), keeps(context.capabilities) ? 4 : undefined);
      assert.deepEqual([cache.stats().errors, cache.stats().skipped], [2, skipped]);
    },
  },
  {
    title: "a store that does not answer is waited for once, and asked again in the background",
    proves: "caches: a store has a timeout of its own; one that is away is skipped (half-open probes)",
    async run(context) {
      const { place } = context;
      const store = line(context);
      const { instance, cache, patience } = await cacheOn(context, store);
      const events: string[] = [];
      cache.on("storeDown", () => events.push("down"));
      cache.on("storeUp", () => events.push("up"));
      await cache.set("k", 1, calm);
      store.hang();
      const first = cache.getOrSet("k", () => 2);
      await store.held();
      assert.deepEqual(events, []);
      await place.elapse(patience + slack);
      assert.equal(await first, 2);
      assert.deepEqual(events, ["down"]);
      // A clock that stands still shows that nothing waits.
      const before = instance.time.monotonic();
      await goOn(cache);
      assert.ok(instance.time.monotonic() - before < patience, "the store was waited for");
      const settled = Promise.allSettled(changes(cache));
      await place.elapse(patience + slack);
      for (const outcome of await settled) {
        assert.equal(outcome.status, "rejected");
        assert.equal((outcome.reason as { code?: string }).code, "UNAVAILABLE");
      }
      store.restore();
      await place.elapse(patience + slack);
      assert.equal(await cache.get("k"), undefined, "who has it asked again does not wait for that");
      // On a busy machine the first answer may take too long.
      for (let i = 0; i < 100 && events.length < 2; i++) {
        await place.elapse(patience / 10);
        await cache.has("k");
      }
      assert.deepEqual(events, ["down", "up"]);
      assert.equal(await cache.get("k", calm), keeps(context.capabilities) ? 1 : undefined);
    },
  },
  {
    title: "who gives a call less time than the cache does has not shown that the store is away",
    proves: "caches: a store has a timeout of its own",
    when: keeps,
    async run(context) {
      const { place } = context;
      const store = line(context);
      const { cache, patience } = await cacheOn(context, store);
      await cache.set("k", 1, calm);
      store.hang();
      const hasty = cache.get("k", { timeout: patience / 10 });
      await store.held();
      await place.elapse(patience / 10 + slack);
      assert.equal(await hasty, undefined);
      const patient = cache.get("k", calm);
      store.restore();
      assert.equal(await patient, 1);
      assert.deepEqual([cache.stats().errors, cache.stats().skipped], [1, 0]);
    },
  },
  {
    title: "a store that comes back during a load does not keep it",
    proves: "caches: stamped with versions taken before the load",
    when: keeps,
    async run(context) {
      const store = line(context);
      const { cache } = await cacheOn(context, store);
      store.refuse();
      const { load, started, end } = gate<number>();
      const value = cache.getOrSet("k", load);
      await started;
      store.restore();
      await cache.delete("another");
      end.resolve(1);
      assert.equal(await value, 1);
      assert.equal(await cache.has("k"), false);
    },
  },
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
        ["delete", undefined, async (cache, key) => cache.delete(key)],
        ["set", 2, async (cache, key) => cache.set(key, 2)],
        ["invalidate", undefined, async (cache) => cache.invalidateTags(["t"])],
        ["clear", undefined, async (cache) => cache.clear()],
      ];
      for (const by of ["the same", "another", "another, after it was given up"]) {
        const store = line(context);
        const { cache, patience } = await cacheOn(context, store);
        // Each waits for nothing but its own entry, so all of them can be given up in one wait.
        store.hang(writesEntry);
        const givenUp = by.endsWith("given up");
        const options = { tags: ["t"], timeout: givenUp ? patience : calm.timeout };
        for (const [key] of ways) await cache.getOrSet(key, () => 1, options);
        await store.held();
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
        await changing.set("set", 2);
        store.restore();
        // Has a store asked again that was too slow meanwhile for this cache, which would skip it.
        await cache.delete("none", calm);
        // A read of the key waits for the write that was held back.
        for (const [key, left] of ways) assert.equal(await cache.get(key, calm), left, `${key} by ${by}`);
        for (const [key, left] of ways) assert.equal(await changing.get(key), left, `${key} by ${by}`);
        await changing.clear();
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
