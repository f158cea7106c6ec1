import assert from "node:assert/strict";
import { Cache } from "../../cache/index.ts";
import { Instance } from "../../client/index.ts";
import type { Case, CaseContext } from "../suite.ts";
import { calm, gate, keeps, line, toldOf, type Line } from "./client.ts";

/** A timer may come a little later than its time, by the clock of whoever waits for it. */
export const slack = 50;

interface Stand {
  readonly instance: Instance;
  readonly cache: Cache<number>;
  /** How long the cache waits for its store, in ms. */
  readonly patience: number;
}

/** A cache on a line of its own, which is open: it waits briefly for its store unless told how many ms. */
export async function cacheOn(
  { unit }: CaseContext,
  { backend }: Line,
  patience = Math.max(2 * unit, 500),
): Promise<Stand> {
  const instance = new Instance(backend, { timeout: patience });
  await instance.opened(instance.call(calm));
  return { instance, cache: new Cache<number>(instance, "values", { ttl: "1h", timeout: patience }), patience };
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
      const { instance, cache } = await cacheOn(context, store, 20_000);
      const told: string[] = [];
      instance.events.on("cacheError", ({ cache: name, operation, key }) => told.push(`${name} ${operation} ${key}`));
      instance.events.on("cacheStoreDown", ({ error }) => told.push(`down ${(error as Error).message}`));
      instance.events.on("cacheStoreUp", () => told.push("up"));
      const other = new Cache<number>(instance, "other", { ttl: "1h", timeout: "20s" });
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
      if (await store.held(1, first)) assert.deepEqual(events, []);
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
      // On a busy machine an answer may take too long, also once the store was back.
      for (let i = 0; i < 100 && events.at(-1) !== "up"; i++) {
        await place.elapse(patience / 10);
        await cache.has("k");
      }
      assert.deepEqual(events.slice(0, 2), ["down", "up"]);
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
      await store.held(1, hasty);
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
      const { cache } = await cacheOn(context, store, 20_000);
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
];
