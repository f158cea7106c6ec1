import assert from "node:assert/strict";
import type { Cache, Loader } from "../../cache/index.ts";
import type { Case, CaseContext } from "../suite.ts";
import { behind, cacheOf, gate, keeps, loaded, stamps } from "./client.ts";

/** What happens while a load runs, and what must be left of it. */
interface During {
  readonly change: (cache: Cache<string>, key: string) => Promise<unknown>;
  readonly left: string | undefined;
  readonly tags?: readonly string[];
  readonly late?: readonly string[];
}

/**
 * By the loading cache itself and by another instance; of an entry that was never there, invalidated, deleted, cleared.
 */
async function duringLoad(context: CaseContext, during: During): Promise<void> {
  for (const before of ["absent", "invalidated", "deleted", "cleared"]) {
    for (const another of [false, true]) {
      const what = `${before}, changed by ${another ? "another" : "the same"}`;
      const loading = cacheOf<string>(context);
      const changing = another ? cacheOf<string>(context) : loading;
      if (before !== "absent") await loading.set(what, "first", { tags: ["first"] });
      if (before === "invalidated") await loading.invalidateTags(["first"]);
      if (before === "deleted") await loading.delete(what);
      if (before === "cleared") await loading.clear();
      const { load, started, end } = gate<string>();
      const loader: Loader<string> = async ({ set }) => {
        if (during.late) set({ tags: during.late });
        return load();
      };
      const value = loaded(loading, what, loader, { tags: during.tags });
      await started;
      await during.change(changing, what);
      end.resolve("loaded");
      assert.equal(await value, "loaded", what);
      assert.equal(await loading.get(what), during.left, what);
      if (during.left !== undefined) assert.equal(await loading.getOrSet(what, () => "next"), during.left, what);
      else assert.equal(await loaded(loading, what, () => "next"), "next", what);
      assert.equal(await changing.get(what), during.left ?? "next", what);
    }
  }
}

/** Changes: by key, by tag, of all; while a load runs. */
export const changeCases: readonly Case[] = [
  {
    title: "a delete during a load wins",
    proves: "caches: stamped with versions taken before the load",
    when: keeps,
    run: async (context) => duringLoad(context, { change: async (cache, key) => cache.delete(key), left: undefined }),
  },
  {
    title: "a set during a load wins",
    proves: "caches: stamped with versions taken before the load",
    when: keeps,
    run: async (context) => duringLoad(context, { change: async (cache, key) => cache.set(key, "set"), left: "set" }),
  },
  {
    title: "an invalidation of its tag during a load wins",
    proves: "caches: stamped with versions taken before the load",
    when: keeps,
    run: async (context) =>
      duringLoad(context, {
        tags: ["a", "b"],
        change: async (cache) => cache.invalidateTags(["x", "b"]),
        left: undefined,
      }),
  },
  {
    title: "an invalidation wins of a load that names the tag only later",
    proves: "caches: the loader gets set({ tags })",
    when: keeps,
    run: async (context) =>
      duringLoad(context, { late: ["b"], change: async (cache) => cache.invalidateTags(["b"]), left: undefined }),
  },
  {
    title: "a clear during a load wins",
    proves: "caches: stamped with versions taken before the load",
    when: keeps,
    run: async (context) => duringLoad(context, { change: async (cache) => cache.clear(), left: undefined }),
  },
  {
    title: "other changes leave a load alone",
    proves: "caches: stamped with versions taken before the load",
    when: keeps,
    run: async (context) =>
      duringLoad(context, {
        tags: ["a"],
        async change(cache) {
          await cache.delete("another key");
          await cache.set("one more", "value", { tags: ["a"] });
          await cache.invalidateTags(["another tag"]);
        },
        left: "loaded",
      }),
  },
  {
    title: "whoever asks after a change does not get a load from before it",
    proves: "caches: the loader runs once for all who ask at the same time",
    async run(context) {
      const changes: ((cache: Cache<string>) => Promise<unknown>)[] = [
        async (cache) => cache.delete("k"),
        async (cache) => cache.invalidateTags(["t"]),
        async (cache) => cache.clear(),
      ];
      for (const change of changes) {
        const cache = cacheOf<string>(context);
        const { load, started, end } = gate<string>();
        const before = cache.getOrSet("k", load);
        await started;
        const changed = change(cache);
        const after = cache.getOrSet("k", () => "new");
        assert.equal(await after, "new");
        await changed;
        end.resolve("old");
        assert.equal(await before, "old");
        await cache.clear();
      }
    },
  },
  {
    title: "a tag ends what bears it, in every instance, and nothing else",
    proves: "caches: tags",
    when: keeps,
    async run(context) {
      const [one, two] = [cacheOf<number>(context), cacheOf<number>(context)];
      const other = cacheOf<number>(context, {}, "other");
      const tags = Object.freeze(["a", "b", "a"]);
      await one.set("ab", 1, { tags });
      await one.setMany(
        [
          ["b1", 2],
          ["b2", 3],
        ],
        { tags: ["b"] },
      );
      await one.set("c", 4, { tags: ["c"] });
      await one.set("none", 5);
      await other.set("ab", 6, { tags });
      assert.deepEqual(tags, ["a", "b", "a"]);
      await two.invalidateTags(["a"]);
      const keys = ["ab", "b1", "b2", "c", "none"];
      assert.deepEqual([...(await one.getMany(keys)).keys()], ["b1", "b2", "c", "none"]);
      assert.equal(await two.delete("ab"), false);
      await two.invalidateTags(["b", "c", "unused"]);
      assert.deepEqual([...(await one.getMany(keys)).keys()], ["none"]);
      assert.equal(await other.get("ab"), 6);
      await one.set("ab", 7, { tags });
      assert.equal(await two.get("ab"), 7);
      await one.invalidateTags([]);
      assert.equal(await two.get("ab"), 7);
    },
  },
  {
    title: "many tags at once",
    proves: "caches: tags",
    when: keeps,
    async run(context) {
      const cache = cacheOf<number>(context);
      const tags = Array.from({ length: 600 }, (_, i) => `tag ${i}`);
      await cache.set("first", 1, { tags: tags.slice(0, 1) });
      await cache.set("last", 1, { tags: tags.slice(-1) });
      await cache.invalidateTags(tags);
      assert.equal((await cache.getMany(["first", "last"])).size, 0);
    },
  },
  {
    title: "an entry ends with any of its tags, also where it has as many as it may, and each is as long as it may be",
    proves: "caches: tags",
    when: keeps,
    async run(context) {
      const cache = cacheOf<number>(context);
      const tags = Array.from({ length: 64 }, (_, i) => String(i).padStart(1_023, "\u{1}"));
      for (const tag of [tags[0], tags[63]] as string[]) {
        await cache.set("k", 1, { tags: [...tags, ...tags] });
        assert.equal(await cache.get("k"), 1);
        await cache.invalidateTags([tag]);
        assert.equal(await cache.get("k"), undefined);
      }
    },
  },
  {
    title: "clear ends everything, in every instance",
    proves: "caches: clear",
    when: keeps,
    async run(context) {
      const [one, two] = [cacheOf<number>(context), cacheOf<number>(context)];
      const other = cacheOf<number>(context, {}, "other");
      await one.set("a", 1);
      await one.set("b", 2, { tags: ["t"], ttl: "never" });
      await other.set("a", 3);
      await two.clear();
      assert.equal((await one.getMany(["a", "b"])).size, 0);
      assert.equal(await other.get("a"), 3);
      await one.set("a", 4);
      assert.equal(await two.get("a"), 4);
    },
  },
  {
    title: "a stamp that is lost revives nothing",
    proves: "caches: a missing stamp is a miss",
    when: keeps,
    async run(context) {
      const cache = cacheOf<number>(context);
      for (const stamp of ["c", "ttag"]) {
        await cache.set("k", 1, { tags: ["tag"] });
        assert.equal(await cache.get("k"), 1);
        await behind(context, [{ op: "delete", key: { space: stamps, key: stamp } }]);
        assert.equal(await cache.get("k"), undefined);
        await cache.set("another", 2, { tags: ["tag"] });
        assert.equal(await cache.get("k"), undefined);
        assert.equal(await cache.get("another"), 2);
      }
    },
  },
  {
    title: "what was invalidated is given to the loader as stale",
    proves: "caches: the loader gets stale",
    when: keeps,
    async run(context) {
      const cache = cacheOf<number>(context);
      assert.equal(await cache.getOrSet("k", ({ stale }) => stale ?? 1, { tags: ["t"] }), 1);
      await cache.invalidateTags(["t"]);
      assert.equal(await cache.getOrSet("k", ({ stale }) => (stale ?? 0) + 1, { tags: ["t"] }), 2);
      await cache.delete("k");
      assert.equal(await cache.getOrSet("k", ({ stale }) => stale ?? 7), 7);
      assert.equal(cache.stats().errors, 0);
    },
  },
];
