import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Cache, connect, Holdfast, Lock, StateStore } from "../../src/entries/index.ts";
import { memory, MemoryCache, MemoryLock, MemoryStateStore } from "../../src/entries/memory.ts";

const classes = { Holdfast, StateStore, Cache, Lock };

/** Of which of the classes a value is. */
function kindsOf(value: unknown): readonly string[] {
  return Object.entries(classes).flatMap(([name, Class]) => (value instanceof Class ? [name] : []));
}

describe("the classes of the package", () => {
  it("tell what a value is", async () => {
    const hf = await connect("memory:");
    const backend = memory();
    try {
      assert.deepEqual(kindsOf(hf), ["Holdfast"]);
      for (const store of [hf.state("s"), new MemoryStateStore(backend, "s")]) {
        assert.deepEqual(kindsOf(store), ["StateStore"]);
      }
      for (const cache of [hf.cache("c"), new MemoryCache(backend, "c")]) assert.deepEqual(kindsOf(cache), ["Cache"]);
      for (const lock of [hf.lock("l"), new MemoryLock(backend, "l")]) assert.deepEqual(kindsOf(lock), ["Lock"]);
      for (const other of [
        backend,
        hf.lock("l").semaphore("s", { permits: 1 }),
        {},
        null,
        undefined,
        "Lock",
        connect,
      ]) {
        assert.deepEqual(kindsOf(other), []);
      }
    } finally {
      await hf.close();
      await backend.close();
    }
  });

  it("are functions with the names of the classes, as containers want of a token", () => {
    for (const [name, Class] of Object.entries(classes)) {
      assert.equal(typeof Class, "function");
      assert.equal(Class.name, name);
    }
    assert.equal(new Map(Object.values(classes).map((Class) => [Class, true])).size, 4);
  });

  it("are not made with new, and say what makes them", () => {
    for (const [name, Class] of Object.entries(classes)) {
      const message = new RegExp(`^a ${name} is not made with new: .+ gives one$`);
      assert.throws(() => Reflect.construct(Class, []) as unknown, { code: "INVALID_ARGUMENT", message });
    }
  });
});
