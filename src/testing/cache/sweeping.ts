import assert from "node:assert/strict";
import { space, type Space } from "../../base/keys.ts";
import { Cache } from "../../cache/index.ts";
import { Instance } from "../../client/index.ts";
import type { Capabilities, Page, StoredRecord } from "../../port/index.ts";
import type { Case, CaseContext } from "../suite.ts";
import { keeps } from "./client.ts";

/** Null keeps nothing, and what cannot be listed cannot be swept. */
function sweeps(capabilities: Capabilities): boolean {
  return keeps(capabilities) && capabilities.list;
}

const hourMs = 60 * 60_000;

/** However busy the machine is, what is written is to be stored. */
const patienceMs = 60_000;

/** An instance of its own, so that it can be closed. */
function instanceOf({ place }: CaseContext): Instance {
  return new Instance(place.backend(), { timeout: patienceMs });
}

function cacheOn(instance: Instance, name = "swept"): Cache<string> {
  return new Cache<string>(instance, name, { ttl: "never", timeout: patienceMs });
}

function spaceOf(kind: "cache" | "stamp", name = "swept"): Space {
  return space(kind, "", name);
}

/** What is stored of a space, current or not. */
async function stored(instance: Instance, of: Space): Promise<readonly StoredRecord[]> {
  const records = new Map<string, StoredRecord>();
  let cursor: string | undefined;
  do {
    const page: Page = await instance.page({ space: of, prefix: "", limit: 1_000, cursor }, instance.ownCall());
    for (const record of page.records) records.set(record.key, record);
    ({ cursor } = page);
  } while (cursor !== undefined);
  return [...records.values()];
}

/** Lets time pass until `holds`, for at most 90 seconds. */
async function until({ place, unit }: CaseContext, what: string, holds: () => Promise<boolean>): Promise<void> {
  const step = Math.min(unit, 250);
  for (let passed = 0; passed < 90_000; passed += step) {
    if (await holds()) return;
    await place.elapse(step);
  }
  assert.fail(`${what}, within 90 seconds`);
}

async function fill(cache: Cache<string>, count: number, tags: (i: number) => readonly string[]): Promise<void> {
  const kept = await Promise.all(
    Array.from({ length: count }, (_, i) => cache.set(`key ${i}`, `value ${i}`, { tags: tags(i) })),
  );
  assert.ok(kept.every(Boolean), "all of them are kept");
}

/** What gives the room of entries back that never end and are absent all the same. */
export const sweepCases: readonly Case[] = [
  {
    title: "after a clear nothing is left of entries that never end but those written since",
    proves: "caches: clear gives back what the entries took",
    when: sweeps,
    async run(context) {
      const [instance, other] = [instanceOf(context), instanceOf(context)];
      const cache = cacheOn(instance);
      const neighbour = cacheOn(other, "swept:");
      await fill(cache, 300, () => ["old"]);
      await fill(neighbour, 20, () => ["old"]);
      await cache.clear();
      await fill(cache, 30, () => ["new"]);
      await until(
        context,
        "the stale entries are gone",
        async () => (await stored(instance, spaceOf("cache"))).length === 30,
      );
      const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`);
      assert.equal((await cache.getMany(keys)).size, 30);
      assert.equal((await neighbour.getMany(keys)).size, 20, "another cache beside it");
      await Promise.all([instance.close(0), other.close(0)]);
    },
  },
  {
    title: "after an invalidation of tags the entries that bore them are gone, and the others are not",
    proves: "caches: invalidateTags gives back what the entries took",
    when: sweeps,
    async run(context) {
      const instance = instanceOf(context);
      const cache = cacheOn(instance);
      await fill(cache, 100, (i) => [i % 2 === 0 ? "even" : "odd", "all"]);
      await cache.set("plain", "no tag");
      await cache.set("ends", "with its ttl", { ttl: hourMs, tags: ["even"] });
      await cache.invalidateTags(["even"]);
      await until(
        context,
        "the stale entries are gone",
        async () => (await stored(instance, spaceOf("cache"))).length === 51,
      );
      assert.deepEqual(await cache.get("plain"), "no tag");
      for (let i = 1; i < 100; i += 2) assert.equal(await cache.get(`key ${i}`), `value ${i}`);
      await instance.close(0);
    },
  },
  {
    title: "versions of tags that no entry bears any more get an end, and those that one bears get none",
    proves: "caches: what is kept of tags is bounded by the entries",
    when: sweeps,
    async run(context) {
      const instance = instanceOf(context);
      const cache = cacheOn(instance);
      await fill(cache, 60, (i) => [`of ${i}`, "all"]);
      for (let i = 0; i < 40; i++) await cache.delete(`key ${i}`);
      await cache.set("other", "value", { tags: ["other"] });
      await cache.invalidateTags(["other"]);
      const lasting = async (): Promise<readonly string[]> =>
        (await stored(instance, spaceOf("stamp")))
          .filter(({ key, expiresAt }) => key.startsWith("t") && expiresAt === undefined)
          .map(({ key }) => key.slice(1));
      const expected = ["all", ...Array.from({ length: 20 }, (_, i) => `of ${40 + i}`)];
      await until(context, "the versions of 40 tags have an end", async () => (await lasting()).length === 21);
      assert.deepEqual((await lasting()).toSorted(), expected.toSorted());
      // One that is used again before it ends does not.
      await cache.set("key 0", "again", { tags: ["of 0"] });
      assert.ok((await lasting()).includes("of 0"));
      assert.equal(await cache.get("key 50"), "value 50");
      await instance.close(0);
    },
  },
  {
    title: "another instance goes on with a sweep whose instance has closed",
    proves: "caches: a sweep outlives its instance",
    when: sweeps,
    async run(context) {
      const [first, second] = [instanceOf(context), instanceOf(context)];
      const cache = cacheOn(first);
      await fill(cache, 200, () => ["old"]);
      await cache.clear();
      // At once: nothing has been swept yet.
      await first.close(0);
      assert.ok((await stored(second, spaceOf("cache"))).length > 0);
      const other = cacheOn(second);
      await other.set("fresh", "value");
      await until(context, "the stale entries are gone", async () => {
        await other.set("fresh", "value");
        return (await stored(second, spaceOf("cache"))).length === 1;
      });
      assert.equal(await other.get("fresh"), "value");
      await second.close(0);
    },
  },
  {
    title: "a sweep removes no entry that is written while it runs",
    proves: "caches: a fresh value is never removed",
    when: sweeps,
    async run(context) {
      const instance = instanceOf(context);
      const cache = cacheOn(instance);
      await fill(cache, 200, () => ["a", "b"]);
      for (let round = 0; round < 3; round++) {
        await cache.invalidateTags(["a"]);
        const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`);
        await cache.setMany(
          keys.map((key) => [key, `${key} of ${round}`] as const),
          { tags: ["a"] },
        );
        await context.place.elapse(Math.min(context.unit, 250));
        assert.equal((await cache.getMany(keys)).size, 100);
      }
      await until(
        context,
        "the stale entries are gone",
        async () => (await stored(instance, spaceOf("cache"))).length === 100,
      );
      assert.equal(await cache.get("key 99"), "key 99 of 2");
      await instance.close(0);
    },
  },
];
