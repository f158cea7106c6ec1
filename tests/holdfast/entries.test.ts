import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { connect } from "../../src/entries/index.ts";
import { lmdb, LmdbCache, LmdbLock, LmdbStateStore } from "../../src/entries/lmdb.ts";
import { memory, MemoryCache, MemoryLock, MemoryStateStore } from "../../src/entries/memory.ts";
import { NullCache, NullLock, NullStateStore, nullBackend } from "../../src/entries/null.ts";
import type { Backend } from "../../src/port/index.ts";

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

interface Wiring {
  readonly backend: Backend;
  readonly StateStore: typeof MemoryStateStore;
  readonly Cache: typeof MemoryCache;
  readonly Lock: typeof MemoryLock;
}

const wirings: readonly Wiring[] = [
  { backend: memory(), StateStore: MemoryStateStore, Cache: MemoryCache, Lock: MemoryLock },
  { backend: lmdb({ path: folder }), StateStore: LmdbStateStore, Cache: LmdbCache, Lock: LmdbLock },
];

describe("classes on a backend that was made once", () => {
  for (const { backend, StateStore, Cache, Lock } of wirings) {
    it(`share it and its atomicity, and see what connect sees: ${backend.name}`, async () => {
      const service = "checkout";
      const orders = new StateStore<{ paid: boolean }>(backend, "orders", { service });
      const prices = new Cache<number>(backend, "prices", { service, ttl: "5m" });
      const lock = new Lock(backend, "orders", { service });
      await lock.run("42", async (lease) => orders.save("42", { paid: true }, { lease }));
      await prices.set("btc", 7);
      const { value } = await lock.runOnce("payment", async ({ tx }) => {
        tx.save(orders, "43", { paid: false });
        return 1;
      });
      assert.equal(value, 1);
      const hf = await connect(backend, { service });
      assert.deepEqual(await hf.state("orders").load("42"), { paid: true });
      assert.deepEqual(await hf.state("orders").load("43"), { paid: false });
      assert.equal(await hf.cache("prices").get("btc"), 7);
      const lease = await lock.tryAcquire("42");
      assert.equal(await hf.lock("orders").tryAcquire("42"), undefined);
      await lease?.release();
      await hf.close();
      assert.deepEqual(await orders.load("42"), { paid: true });
      await backend.close();
    });
  }

  it("of Null accept everything and keep nothing", async () => {
    const backend = nullBackend();
    const store = new NullStateStore<number>(backend, "s");
    await store.save("k", 1);
    assert.equal(await store.load("k"), undefined);
    assert.equal(await new NullCache(backend, "c", { ttl: "1m" }).getOrSet("k", () => 2), 2);
    const lock = new NullLock(backend, "l");
    assert.ok(await lock.tryAcquire("k"));
    assert.ok(await lock.tryAcquire("k"));
  });
});
