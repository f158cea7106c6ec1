import assert from "node:assert/strict";
import type { BatchError } from "../../base/errors.ts";
import type { Case } from "../suite.ts";
import { all, declaring, instanceOn, keeps, lists, rejects, storeOf, storeOn } from "./client.ts";

export const batchCases: readonly Case[] = [
  {
    title: "many are loaded as each by itself: those that are there, each once, in the order asked for",
    proves: "state 7: reads",
    when: keeps,
    async run(context) {
      const [a, b] = [storeOf<number>(context), storeOf<number>(context)];
      const keys = Array.from({ length: 700 }, (_, i) => `k${i}`);
      await a.saveMany(keys.map((key, i) => [key, i]));
      const found = await b.loadMany(["k5", "none", "k3", "k5", ...keys, "none"]);
      assert.deepEqual([...found.keys()].slice(0, 4), ["k5", "k3", "k0", "k1"]);
      assert.deepEqual([found.size, found.get("k699"), found.get("none")], [700, 699, undefined]);
      const entries = await b.loadEntries(new Set(["k1", "none"]));
      assert.deepEqual([...entries.values()], [await b.loadEntry("k1")]);
      assert.equal((await a.loadMany([])).size, 0);
    },
  },
  {
    title: "many are saved independently, and their versions come in order",
    proves: "state: saveMany",
    when: keeps,
    async run(context) {
      const store = storeOf<number>(context);
      const versions = await store.saveMany(
        new Map([
          ["a", 1],
          ["b", 2],
        ]),
      );
      const entries = await store.loadEntries(["a", "b"]);
      assert.deepEqual(
        [...entries.values()].map(({ version }) => version),
        versions,
      );
      await store.saveMany([["a", 3], ["a", 4], { key: "b", value: 5, if: { version: versions[1] as string } }]);
      assert.deepEqual(
        [...(await store.loadMany(["a", "b"]))],
        [
          ["a", 4],
          ["b", 5],
        ],
        "the last write of a key stays",
      );
      assert.deepEqual(await store.saveMany([]), []);
    },
  },
  {
    title: "an entry of a batch that fails is told apart, the others stay",
    proves: "state: BatchError",
    when: keeps,
    async run(context) {
      const store = storeOf<number>(context);
      await store.save("b", 0);
      const work = store.saveMany([["a", 1], { key: "b", value: 1, if: { absent: true } }, ["c", 1]]);
      const error = await work.then(
        () => assert.fail("one of them is refused"),
        (reason: unknown) => reason as BatchError,
      );
      assert.equal(error.code, "BATCH");
      assert.deepEqual(
        error.outcomes.map(({ ok }) => ok),
        [true, false, true],
      );
      const [first, second] = error.outcomes;
      assert.ok(first?.ok && first.value === (await store.loadEntry("a"))?.version);
      assert.ok(second && !second.ok && second.error.code === "CONFLICT" && second.error.key === "b");
      assert.deepEqual(
        [...(await store.loadMany(["a", "b", "c"]))],
        [
          ["a", 1],
          ["b", 0],
          ["c", 1],
        ],
      );
    },
  },
  {
    title: "a listing yields every entry of the store, and no other store's",
    proves: "state 7: list",
    when: lists,
    async run(context) {
      const store = storeOf<number>(context);
      const other = storeOf<number>(context, {}, "entries-too");
      assert.deepEqual(await all(store.list()), []);
      const keys = Array.from({ length: 1_100 }, (_, i) => `k${i}`);
      await store.saveMany(keys.map((key, i) => [key, i]));
      await other.save("other", 1);
      const listed = await all(store.list());
      assert.deepEqual(listed.map(({ key }) => key).toSorted(), keys.toSorted());
      assert.deepEqual(
        listed.find(({ key }) => key === "k7"),
        await store.loadEntry("k7"),
      );
      assert.equal((await all(store.list({ limit: 5 }))).length, 5);
      assert.equal((await all(store.list({ limit: 1_050 }))).length, 1_050);
      const nines = await all(store.list({ prefix: "k109" }));
      assert.equal(nines.length, 11);
      assert.deepEqual(await all(store.list({ prefix: "\u{10ffff}" })), []);
    },
  },
  {
    title: "pages are bounded and go on where the one before ended",
    proves: "state 7: listPage has an opaque cursor",
    when: lists,
    async run(context) {
      const store = storeOf<number>(context);
      await store.saveMany(Array.from({ length: 25 }, (_, i) => [`a${i}`, i] as const));
      await store.save("b", 1);
      const seen = new Set<string>();
      let cursor: string | undefined;
      let pages = 0;
      do {
        const page = await store.listPage({ prefix: "a", limit: 10, cursor });
        assert.ok(page.entries.length <= 10);
        for (const { key } of page.entries) seen.add(key);
        cursor = page.cursor;
        assert.ok(++pages < 30, "a listing ends");
      } while (cursor !== undefined);
      assert.equal(seen.size, 25);
    },
  },
  {
    title: "what is there throughout is listed, whatever else is written meanwhile",
    proves: "state 7: at least once",
    when: lists,
    async run(context) {
      const [store, other] = [storeOf<number>(context), storeOf<number>(context)];
      const keys = Array.from({ length: 60 }, (_, i) => `k${String(i).padStart(2, "0")}`);
      await store.saveMany(keys.map((key) => [key, 0]));
      const seen = new Set<string>();
      let cursor: string | undefined;
      let page = 0;
      do {
        const next = await store.listPage({ limit: 7, cursor });
        for (const { key } of next.entries) seen.add(key);
        cursor = next.cursor;
        // Odd ones come and go, even ones stay.
        await Promise.all([
          ...keys.filter((_, i) => i % 2 && i % 3 === page % 3).map((key) => other.delete(key)),
          ...keys.filter((_, i) => i % 2 && (i + 1) % 3 === page % 3).map((key) => other.save(key, page)),
          other.save(`new${page}`, 1),
        ]);
        assert.ok(++page < 100, "a listing ends");
      } while (cursor !== undefined);
      for (let i = 0; i < keys.length; i += 2) assert.ok(seen.has(keys[i] as string), keys[i]);
    },
  },
  {
    title: "a listing ends with its signal, and refuses bad input",
    proves: "every call 1: it ends",
    when: lists,
    async run(context) {
      const store = storeOf<number>(context);
      await store.saveMany([
        ["a", 1],
        ["b", 1],
        ["c", 1],
      ]);
      const abort = new AbortController();
      const reason = new Error("enough");
      const seen: string[] = [];
      await assert.rejects(async () => {
        for await (const { key } of store.list({ signal: abort.signal })) {
          seen.push(key);
          abort.abort(reason);
        }
      }, reason);
      assert.equal(seen.length, 1);
      await rejects(all(store.list({ limit: 0 })), "INVALID_ARGUMENT");
      await rejects(all(store.list({ prefix: 5 as unknown as string })), "INVALID_ARGUMENT");
      await rejects(store.listPage({ limit: 1_001 }), "INVALID_ARGUMENT");
      await rejects(store.listPage({ cursor: 5 as unknown as string }), "INVALID_ARGUMENT");
    },
  },
  {
    title: "where listing is not declared it is refused",
    proves: "capabilities: list",
    async run(context) {
      const instance = instanceOn(declaring(context.place.backend(), { list: false }));
      const store = storeOn<number>(instance);
      await rejects(all(store.list()), "UNSUPPORTED");
      await rejects(store.listPage(), "UNSUPPORTED");
      await rejects(store.watch({ initial: true }), "UNSUPPORTED");
    },
  },
];
