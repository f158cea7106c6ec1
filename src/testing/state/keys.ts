import assert from "node:assert/strict";
import type { Page } from "../../port/index.ts";
import { misbehavingBackend } from "../misbehave.ts";
import type { Case } from "../suite.ts";
import {
  all,
  declaring,
  guards,
  instanceOf,
  instanceOn,
  keeps,
  leaseOf,
  lists,
  rejects,
  storeOf,
  storeOn,
  times,
} from "./client.ts";

/** Keys without their values: what is there, how many, and the end of many. */
export const keyCases: readonly Case[] = [
  {
    title: "has tells what is there, also of an entry that this code cannot read",
    proves: "state: has, no values travel",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const [store, newer] = [storeOf<number>(context), storeOf<number>(context, { version: 2 })];
      await newer.save("newer", 1);
      await store.save("k", 1);
      await store.save("short", 1, { ttl: 4 * unit });
      assert.deepEqual(await Promise.all(["k", "newer", "short", "none"].map((key) => store.has(key))), [
        true,
        true,
        true,
        false,
      ]);
      await place.elapse(4 * unit + unit / 2);
      await store.delete("k");
      assert.deepEqual([await store.has("short"), await store.has("k")], [false, false]);
      await Promise.all([
        times(5, async () => store.has("newer")).then((there) => assert.ok(there.every(Boolean))),
        times(5, async () => newer.load("newer")).then((values) => assert.deepEqual(values, [1, 1, 1, 1, 1])),
      ]);
      await rejects(store.has(""), "INVALID_ARGUMENT");
    },
  },
  {
    title: "keys and count go over every page of a prefix, and read no value",
    proves: "state: keys, count",
    when: lists,
    async run(context) {
      const [store, newer] = [storeOf<number>(context), storeOf<number>(context, { version: 2 })];
      const other = storeOf<number>(context, {}, "others");
      const names = Array.from({ length: 1_100 }, (_, i) => `a${String(i).padStart(4, "0")}`);
      await newer.saveMany(names.map((key) => [key, 1]));
      await store.saveMany([
        ["b", 1],
        ["ß\0", 1],
      ]);
      await other.save("a", 1);
      assert.deepEqual([...new Set(await all(store.keys({ prefix: "a" })))].toSorted(), names);
      assert.deepEqual(new Set(await all(store.keys())), new Set([...names, "b", "ß\0"]));
      assert.equal((await all(store.keys({ limit: 7 }))).length, 7);
      assert.deepEqual(await all(store.keys({ prefix: "none" })), []);
      assert.ok((await store.count()) >= 1_102);
      assert.deepEqual([await store.count({ prefix: "b" }), await store.count({ prefix: "none" })], [1, 0]);
      await rejects(all(store.keys({ limit: 0 })), "INVALID_ARGUMENT");
      await rejects(store.count({ prefix: 1 as never }), "INVALID_ARGUMENT");
      await rejects(all(store.list()), "SCHEMA_VERSION");
      const sizes: number[] = [];
      const fault = { name: "sees pages", page: (page: Page) => (sizes.push(page.records.length), page) };
      await all(storeOn(instanceOn(misbehavingBackend(context.place.backend(), fault))).keys({ limit: 7 }));
      assert.ok(Math.max(...sizes) <= 7, `it asks for what it needs: ${sizes.join()}`);
    },
  },
  {
    title: "clear deletes what there is of a prefix, tells how much that was, and leaves the rest",
    proves: "state: clear",
    when: lists,
    async run(context) {
      const store = storeOf<number>(context);
      const other = storeOf<number>(context, {}, "others");
      await store.saveMany(Array.from({ length: 1_100 }, (_, i) => [`a${i}`, i] as const));
      await store.save("b", 1);
      await other.save("a1", 1);
      assert.equal(await store.clear({ prefix: "none" }), 0);
      assert.equal(await store.clear({ prefix: "a" }), 1_100);
      assert.deepEqual([await all(store.keys()), await other.load("a1")], [["b"], 1]);
      assert.equal(await store.clear(), 1);
      assert.deepEqual([await store.count(), await other.count()], [0, 1]);
      const reason = new Error("enough");
      await store.save("k", 1);
      await assert.rejects(store.clear({ signal: AbortSignal.abort(reason) }), reason);
      await rejects(store.clear({ lease: undefined } as object), "INVALID_ARGUMENT");
      assert.equal(await store.load("k"), 1);
    },
  },
  {
    title: "a listing lets the rest of the process run between its pages",
    proves: "state: list, page by page",
    when: lists,
    async run(context) {
      const store = storeOf<number>(context);
      await store.saveMany(Array.from({ length: 2_500 }, (_, i) => [`k${i}`, i] as const));
      const listings = {
        list: async () => all(store.list()),
        keys: async () => all(store.keys()),
        count: async () => store.count(),
      };
      for (const [name, listing] of Object.entries(listings)) {
        let turns = 0;
        let timer: NodeJS.Immediate | undefined;
        const turn = (): void => {
          turns++;
          timer = setImmediate(turn);
        };
        turn();
        await listing();
        clearImmediate(timer);
        assert.ok(turns > 1, `${name} kept the process busy from beginning to end`);
      }
    },
  },
  {
    title: "where keys are not listed, keys, count and clear are refused, and nothing is deleted",
    proves: "capabilities: list",
    async run(context) {
      const store = storeOn<number>(instanceOn(declaring(context.place.backend(), { list: false })));
      await store.save("k", 1);
      await rejects(all(store.keys()), "UNSUPPORTED");
      await rejects(store.count(), "UNSUPPORTED");
      await rejects(store.clear(), "UNSUPPORTED");
      if (keeps(context.capabilities)) assert.equal(await store.load("k"), 1);
    },
  },
  {
    title: "a condition, or a lease of one entry, is refused where the call would go on without it",
    proves: "every call 4: bad input",
    when: keeps,
    async run(context) {
      const store = storeOf<number>(context);
      const options = { if: { version: await store.save("k", 1) } };
      await rejects(store.take("k", options as object), "INVALID_ARGUMENT");
      await rejects(store.deleteMany(["k"], options as object), "INVALID_ARGUMENT");
      await rejects(store.clear(options as object), "INVALID_ARGUMENT");
      await rejects(store.saveMany([["k", 2]], options as object), "INVALID_ARGUMENT");
      const change = (): number => assert.fail("it must not be called");
      await rejects(store.update("k", change, options as object), "INVALID_ARGUMENT");
      await rejects(store.upsert("k", change, options as object), "INVALID_ARGUMENT");
      const one = { key: "k", value: 2, lease: undefined } as { key: string; value: number };
      await rejects(store.saveMany([one]), "INVALID_ARGUMENT");
      await rejects(store.touch("k", "1h", { if: { absent: true } } as object), "INVALID_ARGUMENT");
      assert.equal(await store.load("k"), 1);
    },
  },
  {
    title: "deleteMany deletes each key once, and tells how many there were",
    proves: "state: deleteMany",
    when: keeps,
    async run(context) {
      const store = storeOf<number>(context);
      await store.saveMany(["a", "b", "c", "d"].map((key) => [key, 1]));
      assert.equal(await store.deleteMany(new Set(["a", "none"])), 1);
      assert.equal(await store.deleteMany(["b", "b", "a"]), 1);
      assert.equal(await store.deleteMany([]), 0);
      await rejects(store.deleteMany(["c", ""]), "INVALID_ARGUMENT");
      await rejects(store.deleteMany("cd"), "INVALID_ARGUMENT");
      await rejects(store.deleteMany(["c"], { lease: undefined } as object), "INVALID_ARGUMENT");
      assert.deepEqual([...(await store.loadMany(["a", "b", "c", "d"])).keys()], ["c", "d"]);
    },
  },
  {
    title: "deleteMany and clear under a lease delete while it is held, and nothing once it is lost",
    proves: "locks 3: a guarded write",
    when: (capabilities) => guards(capabilities) && lists(capabilities),
    async run(context) {
      const instance = instanceOf(context);
      const store = storeOn<number>(instance);
      const keys = ["{k}1", "{k}2", "{k}3"];
      await store.saveMany(keys.map((key) => [key, 1]));
      const lease = await leaseOf(instance, ["{k}1"]);
      assert.equal(await store.deleteMany(keys.slice(0, 2), { lease }), 2);
      assert.equal(await store.clear({ prefix: "{k}", lease }), 1);
      await store.saveMany(keys.map((key) => [key, 2]));
      await lease.lose();
      const error: unknown = await store.deleteMany(keys, { lease }).catch((reason: unknown) => reason);
      const { code, outcomes } = error as { code: string; outcomes: readonly { error?: { code: string } }[] };
      assert.deepEqual([code, ...outcomes.map((one) => one.error?.code)], ["BATCH", "FENCED", "FENCED", "FENCED"]);
      await rejects(store.clear({ lease }), "FENCED");
      assert.equal((await store.loadMany(keys)).size, 3);
      assert.equal(lease.began, lease.ended.length);
    },
  },
];
