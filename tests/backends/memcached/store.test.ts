import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { MetaClient } from "../../../src/backends/memcached/client/client.ts";
import { connect, isHoldfastError, type Holdfast } from "../../../src/entries/index.ts";
import { each } from "../../../src/entries/each.ts";
import { memcached } from "../../../src/entries/memcached.ts";
import { lacks, memcachedUrl, startMemcached, type MemcachedServer } from "../../support/memcached/server.ts";
import { until } from "../../support/servers/until.ts";

const kind = "memcached";

describe("memcached as a store", { skip: lacks(kind) }, () => {
  let server: MemcachedServer;
  let client: MetaClient;
  const inTime = (): { readonly deadline: number } => ({ deadline: performance.now() + 20_000 });
  before(async () => {
    server = await startMemcached({ kind });
    client = new MetaClient({ servers: [{ host: server.host, port: server.port }] });
  });
  after(async () => {
    client.close();
    await server.stop();
  });

  const using = async (query: string, work: (hf: Holdfast) => Promise<void>): Promise<void> => {
    const hf = await connect(`${server.url}${query}`, { service: "store" });
    try {
      await work(hf);
    } finally {
      await hf.close();
    }
  };
  /** How many commands the server runs meanwhile. */
  const commands = async (work: () => Promise<unknown>): Promise<number> => {
    const count = async (): Promise<number> => {
      const [connection] = client.connections;
      return Number((await client.stats(connection as never, "", inTime())).get("cmd_meta"));
    };
    const start = await count();
    await work();
    return (await count()) - start;
  };

  it("needs one request for a load, for a save, and for each step of a lock", async () => {
    await using("", async (hf) => {
      const store = hf.state<number>("trips");
      assert.equal(await commands(async () => store.save("new", 1)), 1);
      assert.equal(await commands(async () => store.save("new", 2)), 1);
      assert.equal(await commands(async () => store.load("new")), 1);
      const lock = hf.lock("trips", { ttl: "30s" });
      // The first ones find out that locks of this name are mostly new.
      for (let i = 0; i < 8; i++) await (await lock.acquire(`first-${i}`)).release();
      for (const key of ["a", "a", "b"]) {
        let lease: Awaited<ReturnType<typeof lock.acquire>> | undefined;
        assert.equal(await commands(async () => (lease = await lock.acquire(key))), 1, "acquire");
        assert.equal(await commands(async () => lease?.extend()), 1, "extend");
        assert.equal(await commands(async () => lease?.release()), 1, "release");
      }
    });
  });

  it("refuses what it cannot do, and says why", async () => {
    await using("", async (hf) => {
      const store = hf.state<number>("refused");
      const lock = hf.lock("refused");
      const lease = await lock.acquire("k");
      const refusals: Readonly<Record<string, readonly [() => Promise<unknown>, RegExp]>> = {
        "a guarded write": [async () => store.save("k", 1, { lease }), /cannot guard a write by a lease/],
        runOnce: [async () => lock.runOnce("id", () => 1), /checks a lease and writes in one step/],
        "a list": [async () => store.list()[Symbol.asyncIterator]().next(), /cannot list/],
        "a watch": [async () => store.watch(), /does not tell of changes/],
        "a transaction of two": [
          async () =>
            hf.transact(async (tx) => {
              tx.save(store, "a", 1);
              tx.save(store, "b", 1);
            }),
          /one key|single|several/,
        ],
        each: [async () => each({ input: [{ n: 1 }], handler: async () => undefined, store: hf } as never), /.+/],
      };
      for (const [what, [call, why]] of Object.entries(refusals)) {
        await assert.rejects(
          call,
          (error) => isHoldfastError(error, "UNSUPPORTED") && why.test(error.message),
          what,
        );
      }
      await lease.release();
    });
  });

  it("keeps fences where it is asked to: a later holder's refuses an earlier one", async () => {
    await using("?guard=floor", async (hf) => {
      assert.equal(hf.capabilities.guard, "floor");
      const store = hf.state<string>("fenced");
      const lock = hf.lock("fenced", { ttl: "30s" });
      const early = await lock.acquire("k", { renew: false });
      await lock.forceRelease("k", "it is to be late");
      const late = await lock.acquire("k");
      await store.save("k", "late", { lease: late });
      await assert.rejects(store.save("k", "early", { lease: early }), (error) => isHoldfastError(error));
      assert.equal(await store.load("k"), "late");
      await late.release();
    });
  });

  it("gives the server an end that comes after the entry's own, whatever its ttl", async () => {
    await using("?prefix=ends", async (hf) => {
      const store = hf.state<string>("s");
      const left = async (key: string): Promise<number | undefined> =>
        (await client.get(`ends:s5:store1:s${key}`, { told: true }, inTime()))?.ttl;
      for (const [ttl, least, most] of [
        [1, 0, 2],
        [1_500, 1, 3],
        [30 * 86_400_000, 30 * 86_400 - 30, 30 * 86_400 + 2],
        [60 * 86_400_000, 60 * 86_400 - 30, 60 * 86_400 + 3],
      ] as const) {
        await store.save("k", "v", { ttl });
        const seconds = (await left("k")) ?? 0;
        assert.ok(seconds >= least && seconds <= most, `${ttl} ms: ${seconds} s`);
      }
      await store.save("short", "v", { ttl: 30 });
      await until("it has ended", async () => (await store.load("short")) === undefined);
      await store.save("k", "v");
      assert.equal(await left("k"), -1);
    });
  });

  it("forgets with its server: a record is absent, and a lock is granted to a second holder, under a higher fence", async () => {
    const own = await startMemcached({ kind });
    const [one, other] = await Promise.all([0, 1].map(async () => connect(own.url, { service: "forgets" })));
    assert.ok(one && other);
    try {
      const first = await one.lock("l").acquire("k", { ttl: "60s", renew: false });
      const version = await one.state<string>("s").save("k", "before");
      await own.restart();
      await until("it is back", async () =>
        other.ping().then(
          () => true,
          () => false,
        ),
      );
      assert.equal(await other.state("s").load("k"), undefined);
      const second = await other.lock("l").acquire("k", { ttl: "60s", wait: 0 });
      assert.ok(second.fence > first.fence);
      // A version from before is never one of what is there now.
      await other.state<string>("s").save("k", "after");
      const late = one.state<string>("s").save("k", "late", { if: { version } });
      await assert.rejects(late, (error) => isHoldfastError(error, "CONFLICT"));
      await assert.rejects(first.extend(), (error) => isHoldfastError(error, "LEASE_LOST"));
      assert.equal((await other.lock("l").inspect("k"))?.owner, second.owner);
      await second.release();
    } finally {
      await Promise.all([one.close(), other.close()]);
      await own.stop();
    }
  });

  it("is reached by options as by a URL, which says what is wrong with it", async () => {
    const backend = memcached({ servers: [{ host: server.host, port: server.port }], prefix: "by-options" });
    const hf = await connect(backend);
    await hf.state<number>("s").save("k", 1);
    assert.equal((await hf.ping()) !== null, true);
    await hf.close();
    await backend.close();
    for (const [url, message] of [
      [`${server.url}/0`, /has no path/],
      [`${server.url}?guard=some`, /guard is "none" or "floor"/],
      [`${server.url}?prefix=${"x".repeat(65)}`, /prefix must be/],
      [`${server.url}?prefix=a%20b`, /prefix must be/],
      [`${server.url}?other=1`, /has the parameters/],
      [memcachedUrl(server.port, server.port), /each server once/],
      ["memcached://u@h", /go together/],
    ] as const) {
      await assert.rejects(connect(url), (error) => isHoldfastError(error, "INVALID_ARGUMENT") && message.test(error.message), url);
    }
    assert.throws(() => memcached({}), { message: /either a url or servers/ });
  });
});
