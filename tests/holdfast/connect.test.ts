import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { memoryBackend } from "../../src/backends/memory/index.ts";
import { deferred } from "../../src/base/async.ts";
import { connect, isHoldfastError, json, type ConnectOptions, type Holdfast } from "../../src/entries/index.ts";
import { memory, MemoryLock } from "../../src/entries/memory.ts";
import type { Backend } from "../../src/port/index.ts";
import { virtualTime } from "../../src/testing/virtual-time.ts";

/** A backend that counts its closes and may never open. */
function watched(options: { opens?: boolean } = {}): {
  backend: Backend;
  closes: () => number;
  advance: (ms: number) => Promise<void>;
} {
  const time = virtualTime();
  const backend = memoryBackend({ time });
  let closes = 0;
  return {
    backend: {
      name: "watched",
      time,
      open: async () => (options.opens === false ? new Promise<never>(() => undefined) : backend.open()),
      session: () => backend.session(),
      async close() {
        closes++;
        await backend.close();
      },
    },
    closes: () => closes,
    advance: async (ms) => time.advance(ms),
  };
}

async function using<R>(hf: Holdfast, fn: (hf: Holdfast) => Promise<R>): Promise<R> {
  try {
    return await fn(hf);
  } finally {
    await hf.close();
  }
}

describe("connect", () => {
  it("gives state, caches and locks of one service", async () => {
    await using(await connect("memory:", { service: "shop" }), async (hf) => {
      assert.deepEqual([hf.service, hf.backend], ["shop", "memory"]);
      assert.equal(hf.capabilities.exclusion, "exact");
      assert.equal(typeof hf.domain, "string");
      assert.ok((await hf.ping()) >= 0);
      const orders = hf.state<{ paid: boolean }>("orders");
      await hf.lock("orders").run("42", async (lease) => orders.save("42", { paid: false }, { lease }));
      await hf.transact(async (tx) => {
        const order = await tx.load(orders, "42");
        tx.save(orders, "42", { paid: !order?.paid });
      });
      assert.deepEqual(await orders.load("42"), { paid: true });
      assert.equal(await hf.cache<number>("prices", { ttl: "5m" }).getOrSet("btc", () => 7), 7);
      assert.equal(hf.cache<number>("prices").peek("btc"), 7);
      const { value } = await hf.lock("orders").runOnce("payment-7", async ({ tx }) => {
        tx.save(orders, "43", { paid: true });
        return "receipt";
      });
      assert.equal(value, "receipt");
      assert.deepEqual(await orders.load("43"), { paid: true });
    });
  });

  it("gives the same handle for the same name and options", async () => {
    await using(await connect("memory:"), async (hf) => {
      assert.equal(hf.state("a"), hf.state("a"));
      assert.equal(hf.lock("a", { ttl: "5s" }), hf.lock("a", { ttl: "5s" }));
      assert.equal(hf.cache("a", { ttl: "5m" }), hf.cache("a", { ttl: "5m" }));
      assert.throws(() => hf.state(""), { code: "INVALID_ARGUMENT" });
    });
  });

  it("gives each handle its own options, and all handles of a name the same data, whoever comes first", async () => {
    const migrate = (add: number) => ({ version: 2, migrate: (n: unknown) => Number(n) + add });
    await using(await connect("memory:"), async (hf) => {
      await hf.state("old", { version: 1 }).save("k", 1);
      // As a handler would, at each of its requests.
      for (const add of [10, 20]) assert.equal(await hf.state("old", migrate(add)).load("k"), 1 + add);

      const held = await hf.lock("cron").acquire("k", { ttl: "1h" });
      assert.equal(await hf.lock("cron", { ttl: "10s" }).tryAcquire("k"), undefined);
      await held.release();
      for (const ttl of [10_000, 20_000]) {
        await hf.lock("cron", { ttl }).run("k", ({ remainingMs }) => {
          assert.ok(remainingMs > ttl - 5_000 && remainingMs <= ttl, `${remainingMs} of ${ttl}`);
        });
      }

      for (const ttl of [60_000, 120_000]) {
        const prices = hf.cache<number>("prices", { ttl });
        await prices.set("k", ttl);
        const { value, expiresAt = 0 } = (await hf.cache<number>("prices").getEntry("k")) ?? {};
        assert.equal(value, ttl);
        assert.ok(Math.abs(expiresAt - Date.now() - ttl) < 5_000);
      }
      await assert.rejects(hf.cache("prices").set("k", 1), { code: "INVALID_ARGUMENT", message: /ttl is required/ });
    });
  });

  it("shares loads, counts and events between the handles of a cache", async () => {
    await using(await connect("memory:"), async (hf) => {
      const [one, other] = [hf.cache<number>("c", { ttl: "1m" }), hf.cache<number>("c", { ttl: "2m" })];
      const heard: string[] = [];
      one.on("miss", ({ key }) => heard.push(key));
      let loads = 0;
      const load = async (): Promise<number> => ++loads;
      assert.deepEqual(await Promise.all([one.getOrSet("k", load), other.getOrSet("k", load)]), [1, 1]);
      assert.deepEqual([one.stats(), heard.includes("k")], [other.stats(), true]);
    });
  });

  it("refuses what a cache has once in a process where a handle says otherwise, and takes it where it does not", async () => {
    await using(await connect("memory:"), async (hf) => {
      const codec = { ...json };
      hf.cache("c", { maxItems: 10, codec });
      assert.ok(hf.cache("c", { ttl: "5m" }));
      assert.ok(hf.cache("c", { ttl: "6m", maxItems: 10, codec }));
      for (const [options, what] of [
        [{ maxItems: 11 }, "maxItems"],
        [{ codec: json }, "codec"],
        [{ isolate: "clone" }, "isolate"],
      ] as const) {
        const message = new RegExp(`the cache "c" has another ${what} in this process`);
        assert.throws(() => hf.cache("c", options), { code: "INVALID_ARGUMENT", message });
      }
    });
  });

  it("memory: is fresh, memory:name is shared, another service is apart", async () => {
    const [fresh, other] = [await connect("memory:"), await connect("memory:")];
    const name = `memory:connect-test-${process.pid}`;
    const shared = [await connect(name), await connect(name), await connect(name, { service: "another" })];
    try {
      await fresh.state("s").save("k", 1);
      assert.equal(await other.state("s").load("k"), undefined);
      assert.notEqual(fresh.domain, other.domain);
      await shared[0]?.state("s").save("k", 2);
      assert.equal(await shared[1]?.state("s").load("k"), 2);
      assert.equal(await shared[2]?.state("s").load("k"), undefined);
      assert.equal(shared[0]?.domain, shared[1]?.domain);
    } finally {
      await Promise.all([fresh, other, ...shared].map(async (hf) => hf.close()));
    }
  });

  it("null: accepts everything and keeps nothing", async () => {
    await using(await connect("null:"), async (hf) => {
      await hf.state("s").save("k", 1);
      assert.equal(await hf.state("s").load("k"), undefined);
      assert.ok(await hf.lock("l").tryAcquire("k"));
    });
  });

  it("file: is a directory that every connect shares", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "holdfast-"));
    try {
      await using(await connect(`file:${folder}`), async (hf) => {
        assert.equal(hf.backend, "lmdb");
        await hf.state("s").save("k", 1);
      });
      await using(await connect(`file:${folder}`), async (hf) => assert.equal(await hf.state("s").load("k"), 1));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("parts the caches from the rest", async () => {
    const { backend, closes } = watched();
    const hf = await connect("null:", { cache: backend });
    const errors: string[] = [];
    const end = hf.on("cacheError", ({ operation }) => errors.push(operation));
    await hf.state("s").save("k", 1);
    const cache = hf.cache("c", { ttl: "never" });
    await cache.set("k", 2);
    assert.equal(await hf.state("s").load("k"), undefined);
    assert.equal(await cache.get("k"), 2);
    assert.equal(hf.backend, "null");
    await cache.getOrSet("f", () => () => 1);
    end();
    await cache.getOrSet("f", () => () => 1);
    assert.deepEqual(errors, ["getOrSet"]);
    await hf.close();
    assert.equal(closes(), 0);
  });

  it("never closes a backend that was handed in, and has a session of its own on it", async () => {
    const { backend, closes } = watched();
    const [one, two] = [await connect(backend), await connect(backend)];
    const lease = await one.lock("l").tryAcquire("k");
    assert.ok(lease);
    assert.equal(await two.lock("l").tryAcquire("k"), undefined);
    await one.close();
    assert.equal(lease.signal.aborted, true);
    assert.ok(await two.lock("l").tryAcquire("k"));
    await two.close();
    assert.equal(closes(), 0);
    await backend.close();
  });

  it("closes once, for good, and in order", async () => {
    const hf = await connect("memory:", { drain: "1m" });
    const running = deferred<void>();
    const end = deferred<number>();
    const value = hf.cache<number>("c", { ttl: "1m" }).getOrSet("k", async () => (running.resolve(), end.promise));
    await running.promise;
    const closing = hf.close();
    assert.equal(hf[Symbol.asyncDispose](), closing);
    end.resolve(3);
    assert.equal(await value, 3);
    await closing;
    for (const call of [
      async () => hf.ping(),
      async () => hf.state("s").load("k"),
      async () => hf.cache("c").get("k"),
      async () => hf.lock("l").tryAcquire("k"),
      async () => hf.transact(async (tx) => tx.load(hf.state("s"), "k")),
    ]) {
      await assert.rejects(call, { code: "UNAVAILABLE" });
    }
  });

  it(
    "closes from inside of what it waits for, a loader of a cache of its own and a constructor's run too",
    { timeout: 30_000 },
    async () => {
      const hf = await connect("memory:", { drain: "1m", cache: "memory:" });
      const closing = deferred<void>();
      const value = hf.cache<number>("c", { ttl: "1m" }).getOrSet("k", async () => {
        await closing.promise;
        await hf.close();
        return 3;
      });
      const first = hf.close();
      closing.resolve();
      await assert.rejects(value, { code: "UNAVAILABLE" });
      await first;

      const backend = memory();
      assert.equal(
        await new MemoryLock(backend, "l").run("k", async () => {
          await backend.close();
          return 7;
        }),
        7,
      );
    },
  );

  it("gives up on what does not answer", async () => {
    const { backend, closes, advance } = watched({ opens: false });
    const settled = connect(backend, { timeout: "2s" }).then(
      () => "connected",
      (error: unknown) => (isHoldfastError(error) ? error.code : error),
    );
    // connect loads modules before it starts to wait.
    const turn = async (): Promise<undefined> => advance(2_000).then(() => undefined);
    let outcome: unknown;
    while (outcome === undefined) outcome = await Promise.race([settled, turn()]);
    assert.equal(outcome, "UNAVAILABLE");
    assert.equal(closes(), 0);
  });

  it("says what is wrong with what it was given", async () => {
    const wrong: [unknown, ConnectOptions | undefined, string, RegExp][] = [
      [
        "other://u:secret@host",
        undefined,
        "INVALID_ARGUMENT",
        /unknown.*schemes are etcd\[s\]:\/\/, file:, memcached\[s\]:\/\/, memory:, mysql:\/\/, mariadb:\/\/, nats.*:\/\/, null:, postgres\[ql\]:\/\/, redis.*, sqlite:$/,
      ],
      ["./secret", undefined, "INVALID_ARGUMENT", /no scheme/],
      ["memory:?secret=1", undefined, "INVALID_ARGUMENT", /a memory: URL takes no parameter/],
      ["null:?a=secret", undefined, "INVALID_ARGUMENT", /takes no parameter/],
      ["file:./data?a=secret", undefined, "INVALID_ARGUMENT", /takes no parameter/],
      ["file:./data?se@cret", undefined, "INVALID_ARGUMENT", /takes no parameter/],
      [7, undefined, "INVALID_ARGUMENT", /URL or a backend/],
      [null, undefined, "INVALID_ARGUMENT", /URL or a backend/],
      ["memory:", { timeout: "soon" }, "INVALID_ARGUMENT", /timeout/],
      ["memory:", { timeout: 0 }, "INVALID_ARGUMENT", /timeout/],
      ["memory:", { drain: -1 }, "INVALID_ARGUMENT", /drain/],
      ["memory:", { service: "s".repeat(257) }, "INVALID_ARGUMENT", /service/],
      ["memory:", { service: 1 as unknown as string }, "INVALID_ARGUMENT", /service/],
      ["memory:", { cache: "other://secret.host" }, "INVALID_ARGUMENT", /unknown/],
      ["memory:", { cache: {} as Backend }, "INVALID_ARGUMENT", /cache/],
      ["memory:", "fast" as ConnectOptions, "INVALID_ARGUMENT", /options/],
    ];
    for (const [target, options, code, message] of wrong) {
      await assert.rejects(connect(target as string, options), (error: Error) => {
        assert.ok(isHoldfastError(error), String(error));
        assert.equal(error.code, code);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    }
  });
});
