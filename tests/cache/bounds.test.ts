import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deferred } from "../../src/base/async.ts";
import { space } from "../../src/base/keys.ts";
import { Cache } from "../../src/cache/index.ts";
import { isDeleted } from "../../src/cache/deleted.ts";
import { Instance } from "../../src/client/index.ts";
import { toldOf } from "../../src/testing/cache/client.ts";
import { remote, stand } from "./support.ts";

const entries = space("cache", "", "values");

describe("a cache in this process", () => {
  it("holds 10,000 entries unless told", async () => {
    const { backend } = stand();
    const instance = new Instance(backend());
    const values = new Cache<number>(instance, "values", { ttl: "never" });
    const keys = Array.from({ length: 10_050 }, (_, i) => `key ${i}`);
    await values.setMany(keys.map((key, i) => [key, i] as const));
    assert.equal((await values.getMany(keys)).size, 10_000);
    assert.equal(values.stats().evictions, 50);
  });

  it("shares its bound with its other objects, and counts what closed ones have left", async () => {
    const { backend, records } = stand();
    const first = backend();
    const left = new Cache<number>(new Instance(first), "values", { ttl: "never", maxItems: 4 });
    for (const key of ["a", "b", "c", "d"]) await left.set(key, 1);
    await first.close();
    const second = backend();
    const one = new Cache<number>(new Instance(second), "values", { ttl: "never", maxItems: 4 });
    const two = new Cache<number>(new Instance(second), "values", { ttl: "never", maxItems: 4 });
    await one.set("e", 1);
    await two.set("f", 1);
    assert.equal((await records(entries)).length, 4);
    assert.equal(await one.get("a"), undefined);
    assert.equal(await one.get("f"), 1);
  });

  it("is bounded by what is used from now on, where what is kept cannot be listed", async () => {
    const { backend } = stand();
    const here = remote(backend(), { capabilities: { shared: "process", list: false } });
    const values = new Cache<number>(new Instance(here), "values", { ttl: "never", maxItems: 2 });
    for (const key of ["a", "b", "c"]) await values.set(key, 1);
    assert.deepEqual([...(await values.getMany(["a", "b", "c"])).keys()], ["b", "c"]);
  });

  it("makes no room by what is written at the same time", async () => {
    const values = stand().cache<number>({ maxItems: 3 });
    for (const key of ["a", "b", "c"]) await values.set(key, 1);
    await values.setMany([
      ["d", 2],
      ["a", 3],
    ]);
    assert.deepEqual([...(await values.getMany(["a", "b", "c", "d"])).values()], [3, 1, 2]);
    await values.clear();
    const load = () =>
      new Map([
        ["e", 4],
        ["c", 5],
      ]);
    const kept = Promise.all(["e", "c"].map(async (key) => toldOf(values, "load", key)));
    await values.getOrSetMany(["e", "c"], load);
    await kept;
    assert.deepEqual([...(await values.getMany(["e", "c"])).values()], [4, 5]);
  });

  it("keeps an entry that is set while what was left of it makes room", async () => {
    for (let ticks = 0; ticks < 20; ticks++) {
      const values = stand().cache<number>({ maxItems: 2 });
      for (const key of ["a", "b"]) await values.delete(key);
      const set = values.set("a", 1);
      for (let i = 0; i < ticks; i++) await Promise.resolve();
      await Promise.all([set, values.delete("c")]);
      assert.equal(await values.get("a"), 1, `after ${ticks} ticks`);
    }
  });

  it("counts what is left of entries that are deleted while they are set as such", async () => {
    for (let ticks = 0; ticks < 20; ticks++) {
      const { cache, records } = stand();
      const values = cache<number>({ maxItems: 3 });
      await values.delete("another");
      for (let i = 0; i < 10; i++) {
        const set = values.set(`k ${i}`, 1);
        for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
        await Promise.all([set, values.delete(`k ${i}`)]);
      }
      const marks = (await records(entries)).filter(isDeleted);
      assert.ok(marks.length <= 3, `${marks.length} are left after ${ticks} ticks`);
    }
  });

  it("does not count what is left of deleted entries as entries, where it is there already", async () => {
    const { backend } = stand();
    const first = new Cache<number>(new Instance(backend()), "values", { ttl: "never", maxItems: 3 });
    for (const key of ["x", "y", "z"]) await first.set(key, 1);
    for (const key of ["a", "b", "c"]) await first.delete(key);
    const second = new Cache<number>(new Instance(backend()), "values", { ttl: "never", maxItems: 3 });
    await second.set("x", 2);
    assert.deepEqual([...(await second.getMany(["x", "y", "z"])).values()], [2, 1, 1]);
  });

  it("does not keep what was deleted while it was loaded, however many are deleted", async () => {
    const { cache, time } = stand();
    const values = cache<number>({ maxItems: 1 });
    const loading = deferred<number>();
    const started = deferred<void>();
    const load = values.getOrSet("k", () => {
      started.resolve();
      return loading.promise;
    });
    await started.promise;
    for (const key of ["k", "other"]) await values.delete(key);
    loading.resolve(1);
    assert.equal(await load, 1);
    assert.equal(await values.get("k"), undefined);
    await time.advance(1);
    assert.equal(await values.getOrSet("k", () => 2), 2);
    assert.equal(await values.get("k"), 2);
  });

  it("refuses what is no bound", () => {
    const instance = new Instance(stand().backend());
    for (const maxItems of [0, -1, 1.5, Number.NaN, Infinity, "10" as unknown as number]) {
      assert.throws(() => new Cache(instance, "values", { maxItems }), { code: "INVALID_ARGUMENT" });
    }
    assert.throws(() => new Cache(instance, "values", { isolate: "copy" as "clone" }), { code: "INVALID_ARGUMENT" });
    assert.throws(() => new Cache(instance, ""), { code: "INVALID_ARGUMENT" });
    assert.throws(() => new Cache(instance, "values", { ttl: "-1s" }), { code: "INVALID_ARGUMENT" });
  });
});

describe("a value over the backend's limit", () => {
  it("is refused when it is set, and returned without being kept when it is loaded", async () => {
    const backend = remote(stand().backend(), { capabilities: { maxValue: 10 } });
    const values = new Cache<string>(new Instance(backend), "values", { ttl: "1h" });
    const refused = { code: "INVALID_ARGUMENT", key: "long", message: /11 bytes, and memory takes at most 10/ };
    assert.equal(await values.set("ok", "12345678"), true);
    await assert.rejects(values.set("long", "123456789"), refused);
    await assert.rejects(
      values.setMany([
        ["fine", "1"],
        ["long", "ééé23x"],
      ]),
      refused,
    );
    assert.equal(await values.has("fine"), false);
    assert.equal(await values.getOrSet("long", () => "123456789"), "123456789");
    assert.equal(await values.has("long"), false);
    assert.deepEqual([values.stats().errors, values.stats().sets], [1, 1]);
  });
});
