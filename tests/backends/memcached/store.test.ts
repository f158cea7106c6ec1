import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { systemTime } from "../../../src/base/time.ts";
import { MetaClient } from "../../../src/backends/memcached/client/client.ts";
import { resolveOptions } from "../../../src/backends/memcached/options.ts";
import { MemcachedStore } from "../../../src/backends/memcached/store.ts";
import type { Cell, Change } from "../../../src/backends/store/store.ts";
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
  /** How many requests the server answers meanwhile. */
  const requests = async (work: () => Promise<unknown>): Promise<number> => {
    const count = async (): Promise<number> => {
      const [connection] = client.connections;
      const stats = await client.stats(connection as never, "", inTime());
      return ["cmd_get", "cmd_set", "cmd_touch", "delete_hits", "delete_misses"].reduce(
        (sum, name) => sum + Number(stats.get(name)),
        0,
      );
    };
    const start = await count();
    await work();
    return (await count()) - start;
  };

  it("needs one request for a load, for a save, and for each step of a lock", async () => {
    await using("", async (hf) => {
      const store = hf.state<number>("trips");
      assert.equal(await requests(async () => store.save("new", 1)), 1);
      assert.equal(await requests(async () => store.save("new", 2)), 1);
      assert.equal(await requests(async () => store.load("new")), 1);
      const lock = hf.lock("trips", { ttl: "30s" });
      // The first ones find out that locks of this name are mostly new.
      for (let i = 0; i < 8; i++) await (await lock.acquire(`first-${i}`)).release();
      for (const key of ["a", "a", "b"]) {
        let lease: Awaited<ReturnType<typeof lock.acquire>> | undefined;
        assert.equal(await requests(async () => (lease = await lock.acquire(key))), 1, "acquire");
        assert.equal(await requests(async () => lease?.extend()), 1, "extend");
        assert.equal(await requests(async () => lease?.release()), 1, "release");
      }
    });
  });

  it("refuses what it cannot do, and says why", async () => {
    await using("", async (hf) => {
      const store = hf.state<number>("refused");
      const lock = hf.lock("refused");
      const lease = await lock.acquire("k");
      const input = async function* (): AsyncGenerator<string> {
        yield '{"n":1}\n';
      };
      const refusals: Readonly<Record<string, readonly [() => Promise<unknown>, RegExp]>> = {
        "a guarded write": [async () => store.save("k", 1, { lease }), /cannot guard a write by a lease/],
        runOnce: [async () => lock.runOnce("id", () => 1), /checks a lease and writes in one step/],
        "a list": [async () => store.list()[Symbol.asyncIterator]().next(), /cannot list/],
        "a watch": [async () => store.watch(), /cannot tell of changes/],
        "a transaction of two": [
          async () =>
            hf.transact(async (tx) => {
              tx.save(store, "a", 1);
              tx.save(store, "b", 1);
            }),
          /cannot write several records at once/,
        ],
        each: [
          async () => each(input(), async () => undefined, { store: hf, job: "refused" }),
          /cannot list records, which each needs/,
        ],
      };
      for (const [what, [call, why]] of Object.entries(refusals)) {
        await assert.rejects(call, (error) => isHoldfastError(error, "UNSUPPORTED") && why.test(error.message), what);
      }
      await lease.release();
    });
  });

  it("keeps fences where it is asked to: a later holder's refuses an earlier one", async () => {
    const [one, other] = await Promise.all([0, 1].map(async () => connect(`${server.url}?guard=floor`)));
    assert.ok(one && other);
    try {
      assert.equal(one.capabilities.guard, "floor");
      const early = await one.lock("fenced").acquire("k", { ttl: "60s", renew: false });
      await other.lock("fenced").forceRelease("k", "it is to be late");
      const late = await other.lock("fenced").acquire("k", { ttl: "60s" });
      await other.state<string>("fenced").save("k", "late", { lease: late });
      // Its own instance has not heard of it: the record's fence is what refuses it.
      early.assertHeld();
      const saved = one.state<string>("fenced").save("k", "early", { lease: early });
      await assert.rejects(saved, (error) => isHoldfastError(error, "FENCED"));
      assert.equal(await one.state("fenced").load("k"), "late");
      await late.release();
    } finally {
      await Promise.all([one.close(), other.close()]);
    }
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

  it("changes a cell only as it was read, also where nothing was there and nothing is to be", async () => {
    const store = new MemcachedStore(resolveOptions({ url: server.url, prefix: "cells" }), systemTime);
    await store.open(inTime());
    const content = Buffer.from("0123456789abcdef of a cell");
    let key = "k";
    const commit = async (change: Partial<Change>): Promise<boolean> => {
      const one: Change = { key, revision: undefined, content: undefined, until: Infinity, ...change };
      const [answer] = await store.commit([{ checks: [], changes: [one] }], inTime());
      assert.ok(!(answer instanceof Error), String(answer));
      return answer !== false;
    };
    const there = async (): Promise<Cell | undefined> =>
      (await store.read([key], inTime())).cells[0] as Cell | undefined;
    try {
      assert.equal(await commit({}), true, "absent as expected");
      assert.equal(await commit({ content }), true);
      assert.equal(await commit({}), false, "somebody else's stays");
      assert.equal(await commit({ content }), false);
      const cell = await there();
      assert.deepEqual(cell && Buffer.from(cell.content), content);
      assert.equal(await commit({ blind: true, content }), true);
      assert.equal(await commit({ revision: cell?.revision, content }), false, "it was read before");
      assert.equal(await commit({ revision: cell?.revision }), false);
      // It is evicted between the read and the write.
      const seen = await there();
      await client.delete("cells:k", {}, inTime());
      assert.equal(await commit({ revision: seen?.revision, content }), false);
      assert.equal(await commit({ revision: seen?.revision }), false);
      assert.equal(await there(), undefined);
      key = "blind";
      assert.equal(await commit({ blind: true }), true);
      assert.equal(await commit({ blind: true, content }), true);
      assert.equal(await commit({ blind: true }), true);
      assert.equal(await there(), undefined);
    } finally {
      await store.close();
    }
  });

  it("lets two sessions make and delete one record in the same turn", async () => {
    const backend = memcached({ url: server.url, prefix: "sessions" });
    const [one, other] = await Promise.all([connect(backend), connect(backend)]);
    try {
      for (let i = 0; i < 20; i++) {
        const made = one.state<number>("s").save(`k${i}`, i, { if: { absent: true } });
        const deleted = other.state<number>("s").delete(`k${i}`);
        await made;
        const left = await one.state<number>("s").load(`k${i}`);
        assert.equal(left, (await deleted) ? undefined : i);
      }
    } finally {
      await Promise.all([one.close(), other.close()]);
      await backend.close();
    }
  });

  it("serves the keys of servers that answer while another one stands still", async () => {
    const servers = await Promise.all([0, 1, 2].map(async () => startMemcached({ kind })));
    const [still] = servers as [MemcachedServer];
    const hf = await connect(`${memcachedUrl(...servers.map(({ port }) => port))}?replyTimeout=30000`);
    const store = hf.state<string>("s");
    const placed = new MetaClient({ servers: servers.map(({ host, port }) => ({ host, port })), replyTimeout: 30_000 });
    const keys = Array.from({ length: 120 }, (_, i) => `key-${i}`);
    const isOwn = (key: string): boolean => placed.serverOf(`holdfast:s0:1:s${key}`).server.port === still.port;
    const [own, others] = [keys.filter(isOwn), keys.filter((key) => !isOwn(key))];
    try {
      await store.saveMany(keys.map((key) => [key, key]));
      still.pause();
      // What was told to stand still does so in its own time.
      await until("it stands still", async () =>
        placed.get(`holdfast:s0:1:s${own[0]}`, undefined, { deadline: performance.now() + 50 }).then(
          () => false,
          () => true,
        ),
      );
      let answered = 0;
      const waiting: Promise<string | undefined>[] = [];
      // More requests than may be under way at once: each is a turn of its own.
      for (const key of own) {
        const load = store.load(key, { timeout: "60s" });
        waiting.push(load);
        load.then(
          () => answered++,
          () => answered++,
        );
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.ok(own.length > 16, `${own.length}`);
      assert.equal((await store.loadMany(others)).size, others.length);
      for (const key of others) await store.save(key, "later");
      assert.equal(answered, 0);
      still.resume();
      assert.deepEqual(await Promise.all(waiting), own);
    } finally {
      still.resume();
      placed.close();
      await hf.close();
      await Promise.all(servers.map(async (one) => one.stop()));
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
      await assert.rejects(
        connect(url),
        (error) => isHoldfastError(error, "INVALID_ARGUMENT") && message.test(error.message),
        url,
      );
    }
    assert.throws(() => memcached({}), { message: /either a url or servers/ });
  });
});
