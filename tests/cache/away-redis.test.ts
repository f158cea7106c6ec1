import assert from "node:assert/strict";
import { createServer, type AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { once } from "node:events";
import { connect, type Cache, type Holdfast } from "../../src/entries/index.ts";
import { redis, RedisCache } from "../../src/entries/redis.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { lacks } from "../support/redis/kinds.ts";
import { startRedis, type RedisServer } from "../support/redis/server.ts";

/** What a busy machine may add to a second, in ms. */
const late = 4_000;

/** A port of this machine that nobody listens on. */
async function deadPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Runs `call`; how long it took, in ms. */
async function took(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await call();
  return performance.now() - start;
}

/** The calls that go on without the store. */
async function goOn(cache: Cache<number>): Promise<void> {
  assert.equal(await cache.getOrSet("k", () => 2), 2);
  assert.deepEqual(await cache.getOrSetMany(["a", "b"], () => new Map([["a", 1]])), new Map([["a", 1]]));
  assert.equal(await cache.get("k"), undefined);
  assert.equal((await cache.getMany(["a", "b"])).size, 0);
  assert.equal(await cache.has("k"), false);
  assert.equal(await cache.set("k", 1, { tags: ["t"] }), false);
  assert.equal(await cache.setMany([["k", 1]]), false);
}

/** The first call waits for a second at most, no other waits, and what ends entries says that it could not. */
async function isSkipped(cache: Cache<number>): Promise<void> {
  const down: unknown[] = [];
  cache.on("storeDown", (event) => down.push(event));
  const first = await took(async () => assert.equal(await cache.getOrSet("first", () => 1), 1));
  assert.ok(first < 1_000 + late, `${first} ms`);
  assert.equal(down.length, 1);
  const { errors } = cache.stats();
  const rounds = 20;
  const rest = await took(async () => {
    for (let i = 0; i < rounds; i++) await goOn(cache);
  });
  // Of 140 calls none may have waited for its second.
  assert.ok(rest < late, `${rest} ms`);
  assert.equal(cache.stats().skipped, rounds * 9);
  assert.equal(cache.stats().errors, errors);
  const changes = await took(async () => {
    for (const change of [cache.delete("k"), cache.invalidateTags(["t"]), cache.clear()]) {
      await assert.rejects(change, { code: "UNAVAILABLE" });
    }
  });
  assert.ok(changes < 1_000 + late, `${changes} ms`);
  assert.equal(down.length, 1);
}

/** Calls until the store is found to be back. */
async function back(cache: Cache<number>, change: () => void): Promise<void> {
  let up = false;
  cache.on("storeUp", () => (up = true));
  change();
  // What ends entries is not skipped: it has the store asked without a pause.
  for (let i = 0; i < 30 && !up; i++) await cache.delete("another").catch(() => undefined);
  assert.ok(up);
  assert.equal(await cache.set("k", 7, { timeout: "10s" }), true);
  assert.equal(await cache.get("k", { timeout: "10s" }), 7);
}

describe("a cache whose Redis is away", { skip: lacks("redis") }, () => {
  let server: RedisServer;
  before(async () => {
    server = await startRedis({ kind: "redis", appendonly: "everysec" });
  });
  after(async () => {
    await server.stop();
  });

  async function behindProxy(work: (cache: Cache<number>, proxy: FaultProxy, hf: Holdfast) => Promise<void>) {
    const proxy = await FaultProxy.start(server);
    const hf = await connect(`redis://127.0.0.1:${proxy.port}`);
    try {
      await work(hf.cache<number>("values", { ttl: "1h" }), proxy, hf);
    } finally {
      await hf.close();
      await proxy.close();
    }
  }

  it("from the beginning goes on without it", async () => {
    const backend = redis({ url: `redis://127.0.0.1:${await deadPort()}` });
    await isSkipped(new RedisCache<number>(backend, "values", { ttl: "1h" }));
    await backend.close();
  });

  it("does not fail a connect that has the rest elsewhere", async () => {
    const hf = await connect("memory:", { cache: `redis://127.0.0.1:${await deadPort()}`, timeout: "1s" });
    await isSkipped(hf.cache<number>("values", { ttl: "1h" }));
    await hf.close();
    await assert.rejects(connect(`redis://127.0.0.1:${await deadPort()}`, { timeout: "500ms" }), {
      code: "UNAVAILABLE",
    });
  });

  it("because it refuses goes on without it until it is back", async () => {
    await behindProxy(async (cache, proxy) => {
      assert.equal(await cache.set("k", 1, { timeout: "10s" }), true);
      proxy.set({ kind: "refuse" });
      proxy.cut();
      await isSkipped(cache);
      await back(cache, () => proxy.set({ kind: "none" }));
    });
  });

  it("because it never answers goes on without it until it does", async () => {
    await behindProxy(async (cache, proxy) => {
      assert.equal(await cache.set("k", 1, { timeout: "10s" }), true);
      proxy.set({ kind: "black-hole" });
      await isSkipped(cache);
      await back(cache, () => proxy.set({ kind: "none" }));
    });
  });

  it("because it accepts and never answers goes on without it", async () => {
    const proxy = await FaultProxy.start(server);
    proxy.set({ kind: "black-hole" });
    const backend = redis({ url: `redis://127.0.0.1:${proxy.port}` });
    const cache = new RedisCache<number>(backend, "values", { ttl: "1h" });
    await isSkipped(cache);
    await back(cache, () => proxy.set({ kind: "none" }));
    await backend.close();
    await proxy.close();
  });

  it("when what was loaded is written delays nobody, serves nothing that was deleted, and closes in time", async () => {
    await behindProxy(async (cache, proxy, hf) => {
      const direct = await connect(server.url);
      const elsewhere = direct.cache<number>("values", { ttl: "1h" });
      assert.equal(await cache.set("other", 1, { timeout: "10s" }), true);
      const told = new Promise((resolve) => cache.on("load", resolve));
      const loaded = await took(async () =>
        cache.getOrSet("late", async () => {
          proxy.set({ kind: "black-hole" });
          return 1;
        }),
      );
      assert.ok(loaded < late, `${loaded} ms`);
      assert.equal(((await told) as { outcome: string }).outcome, "unkept");
      assert.equal(await elsewhere.delete("late"), false);
      // What was held back reaches the server only now.
      proxy.set({ kind: "none" });
      assert.equal(await cache.set("another", 1, { timeout: "10s" }), true);
      assert.equal(await cache.get("late", { timeout: "10s" }), undefined);
      assert.equal(await elsewhere.get("late"), undefined);
      await direct.close();
      proxy.set({ kind: "black-hole" });
      assert.equal(await cache.getOrSet("last", () => 1), 1);
      const closing = await took(async () => hf.close());
      assert.ok(closing < 10_000 + late, `${closing} ms`);
    });
  });
});
