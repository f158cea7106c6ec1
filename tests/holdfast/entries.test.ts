import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { deferred } from "../../src/base/async.ts";
import { connect } from "../../src/entries/index.ts";
import { lmdb, LmdbCache, LmdbLock, LmdbStateStore } from "../../src/entries/lmdb.ts";
import { memory, MemoryCache, MemoryLock, MemoryServer, MemoryStateStore } from "../../src/entries/memory.ts";
import { NullCache, NullLock, NullStateStore, nullBackend } from "../../src/entries/null.ts";
import { sqlite, SqliteCache, SqliteLock, SqliteStateStore } from "../../src/entries/sqlite.ts";
import type { Backend } from "../../src/port/index.ts";

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-"));
const file = path.join(folder, "data.db");
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
  { backend: sqlite({ path: file }), StateStore: SqliteStateStore, Cache: SqliteCache, Lock: SqliteLock },
];

const server = new MemoryServer();
const closables = [
  { name: "memory", make: () => memory({ server }), Lock: MemoryLock },
  { name: "lmdb", make: () => lmdb({ path: folder }), Lock: LmdbLock },
  { name: "sqlite", make: () => sqlite({ path: file }), Lock: SqliteLock },
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

  for (const { name, make, Lock } of closables) {
    it(`are closed with it, before it is closed: ${name}`, async () => {
      const backend = make();
      const other = await connect(make());
      const lock = new Lock(backend, "orders");
      const held = await lock.acquire("held");
      const { signal } = held;
      const started = deferred<void>();
      const end = deferred<void>();
      const run = lock.run("running", async (lease) => {
        started.resolve();
        await end.promise;
        lease.assertHeld();
        return other.lock("orders").tryAcquire("running");
      });
      await started.promise;
      const closing = backend.close();
      await assert.rejects(lock.acquire("late"), { code: "UNAVAILABLE" });
      assert.equal(signal.aborted, false);
      end.resolve();
      assert.equal(await run, undefined, "it kept its lock until it had ended");
      await closing;
      assert.equal((signal.reason as { why: string }).why, "closed");
      for (const key of ["held", "running"]) assert.ok(await other.lock("orders").tryAcquire(key), key);
      await backend.close();
      await other.close();
    });
  }

  it("stay open when an instance of connect on it closes, until it is closed itself", async () => {
    const backend = nullBackend();
    const hf = await connect(backend);
    await hf.close();
    assert.ok(await new NullLock(backend, "l").tryAcquire("k"));
    await backend.close();
    await assert.rejects(new NullLock(backend, "l").tryAcquire("k"), { code: "UNAVAILABLE" });
  });

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
