import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { Cluster as IoCluster, Redis as IoRedis } from "ioredis";
import { Cluster as ValkeyCluster, Redis as Valkey } from "iovalkey";
import { createClient, createClientPool, createCluster, createSentinel } from "redis";
import { FaultProxy } from "../../../support/fault-proxy.ts";
import { startCluster, type RedisCluster } from "../../../support/redis/cluster.ts";
import { startRedis, type RedisServer } from "../../../support/redis/server.ts";
import { connect, isHoldfastError } from "../../../../src/entries/index.ts";
import { redis } from "../../../../src/entries/redis.ts";
import { fromIoredis, resolveRedisOptions } from "../../../../src/backends/redis/connections/index.ts";
import { command, failure, Heard, rejectsWith, Routers, soon } from "./support.ts";

const password = "s3cret";
const routers = new Routers();

interface OwnClient {
  /** What is handed in. */
  readonly client: object;
  /** A command of the application itself. */
  get(key: string): Promise<string | null>;
  isOpen(): boolean;
  close(): Promise<void>;
}

let server: RedisServer;
let proxy: FaultProxy;
before(async () => {
  server = await startRedis({ kind: "redis", password, appendonly: "always" });
  proxy = await FaultProxy.start({ port: server.port });
});
afterEach(async () => {
  proxy.set({ kind: "none" });
  await routers.close();
});
after(async () => {
  await proxy.close();
  await server.stop();
});

async function nodeRedis(RESP: 2 | 3): Promise<OwnClient> {
  const client = createClient({ url: `redis://:${password}@127.0.0.1:${proxy.port}/4`, RESP, name: "mine" });
  client.on("error", () => undefined);
  await client.connect();
  return {
    client,
    get: async (key) => client.get(key),
    isOpen: () => client.isOpen,
    close: async () => client.destroy(),
  };
}

async function io(Client: typeof IoRedis | typeof Valkey): Promise<OwnClient> {
  const client = new (Client as typeof IoRedis)({
    port: proxy.port,
    password,
    db: 4,
    connectionName: "mine",
    retryStrategy: () => 20,
  });
  client.on("error", () => undefined);
  await new Promise((resolve) => client.once("ready", resolve));
  return {
    client: fromIoredis(client),
    get: async (key) => client.get(key),
    isOpen: () => client.status !== "end",
    close: async () => client.disconnect(),
  };
}

for (const [name, make] of [
  ["node-redis with RESP 3", async () => nodeRedis(3)],
  ["node-redis with RESP 2", async () => nodeRedis(2)],
  ["ioredis", async () => io(IoRedis)],
  ["iovalkey", async () => io(Valkey)],
] as const) {
  void describe(`an application's client of ${name}`, () => {
    let own: OwnClient;
    before(async () => {
      own = await make();
    });
    after(async () => own.close());

    void it("lends its settings, and replies have the same types", async () => {
      const router = await routers.ready({ client: own.client });
      await command(router, "SET", "k", Buffer.from([0, 255]));
      assert.deepEqual(await command(router, "GET", "k"), Buffer.from([0, 255]));
      assert.equal(await command(router, "GET", "none"), null);
      assert.equal(await command(router, "EXISTS", "k"), 1);
      assert.deepEqual(await command(router, "MGET", "k", "none"), [Buffer.from([0, 255]), null]);
      assert.equal(String(await command(router, "SET", "text", "ä")), "OK");
      assert.equal(await own.get("text"), "ä");
      const script = "return { KEYS[1], ARGV[1], 7, { false, redis.status_reply('fine') } }";
      const reply = (await command(router, "EVAL", script, "1", "a", "b")) as readonly unknown[];
      assert.deepEqual(reply.slice(0, 3), [Buffer.from("a"), Buffer.from("b"), 7]);
      assert.equal(String((reply[3] as readonly unknown[])[1]), "fine");
      const setting = (await command(router, "CONFIG", "GET", "maxmemory-policy")) as readonly unknown[];
      assert.deepEqual(setting.map(String), ["maxmemory-policy", "noeviction"]);
      assert.ok((await command(router, "INFO", "server")) instanceof Buffer);
      assert.equal((await failure(command(router, "EVALSHA", "0".repeat(40), "0"))).reply, "NOSCRIPT");
      const clients = String(await command(router, "CLIENT", "LIST"));
      assert.match(clients, /name=mine .*db=4/);
      assert.match(clients, /name=holdfast:commands .*db=4/);
      assert.equal(resolveRedisOptions({ client: own.client }).database, 4);
    });

    void it("has connections beside it, which end with the backend", async () => {
      const router = await routers.ready({ client: own.client });
      const heard = new Heard();
      const subscriber = router.subscriber(heard);
      await subscriber.subscribe("ch", soon());
      await subscriber.subscribePattern("p*", soon());
      await command(router, "PUBLISH", "ch", "1");
      await command(router, "PUBLISH", "p1", "2");
      await heard.until(() => heard.messages.length === 2);
      assert.deepEqual(heard.messages[1], { channel: "p1", body: "2", pattern: "p*" });
      await router.send("renewals", undefined, ["SET", "renewed", "1"]);
      for (;;) {
        const clients = String(await command(router, "CLIENT", "LIST"));
        if (/name=holdfast:renewals .*db=4/.test(clients) && /name=holdfast:subscriptions .*db=4/.test(clients)) break;
      }
      await router.close();
      while (String(await server.command("CLIENT", "LIST")).includes("name=holdfast:"));
      assert.ok(own.isOpen());
      assert.equal(await own.get("renewed"), "1");
    });

    void it("is all that a store, a lock and a watcher need, and stays open after them", async () => {
      const options = { client: own.client, prefix: name.replaceAll(" ", "-") };
      const [backend, second] = [redis(options), redis(options)];
      const hf = await connect(backend, { service: "clients" });
      const store = hf.state<{ n: number }>("counts");
      const changes = (await store.watch({ prefix: "a" }))[Symbol.asyncIterator]();
      await store.save("a", { n: 0 });
      await Promise.all(Array.from({ length: 10 }, async () => store.update("a", ({ n }) => ({ n: n + 1 }))));
      assert.deepEqual(await store.load("a"), { n: 10 });
      assert.equal((await changes.next()).done, false);
      const lock = hf.lock("turns");
      const lease = await lock.acquire("k", { ttl: "900ms" });
      const other = await connect(second, { service: "clients" });
      const waiting = other.lock("turns").acquire("k");
      // Until the lease was renewed on the connection for that.
      while (!String(await server.command("CLIENT", "LIST")).includes("name=holdfast:renewals"));
      await lease.release();
      await (await waiting).release();
      await other.close();
      await hf.close();
      await Promise.all([backend.close(), second.close()]);
      assert.ok(own.isOpen());
    });

    void it("comes back after a loss, and nothing runs twice or later", async () => {
      const router = await routers.ready({ client: own.client });
      const heard = new Heard();
      await router.subscriber(heard).subscribe("ch", soon());
      await command(router, "DEL", "count");
      for (let i = 1; i <= 3; i++) {
        proxy.set({ kind: "drop-reply" });
        assert.equal((await failure(command(router, "INCR", "count"))).sent, true);
        assert.equal((await failure(command(router, "INCR", "count"))).sent, false);
        proxy.set({ kind: "none" });
        await router.ready(soon());
        assert.equal(String(await command(router, "GET", "count")), String(i));
      }
      proxy.cut();
      await heard.until(() => heard.gaps > 0);
      assert.ok(own.isOpen());
    });

    void it("sends nothing later that was not written when the connection went", async () => {
      const router = await routers.ready({ client: own.client });
      await command(router, "SET", "late", "0");
      const lost = server.kill();
      const sent: Promise<unknown>[] = [];
      for (let i = 0; i < 50 && router.isReady("commands", undefined); i++) {
        sent.push(command(router, "INCR", "late").catch((error: unknown) => error));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await lost;
      await Promise.all(sent);
      await server.restart();
      await router.ready(soon());
      const counted = Number(String(await command(router, "GET", "late")));
      const certain = (await Promise.all(sent)).filter((reply) => typeof reply === "number").length;
      assert.ok(counted >= certain && counted <= sent.length, `${certain} <= ${counted} <= ${sent.length}`);
    });
  });
}

void describe("an application's client", () => {
  void it("need not be open, and is not opened", async () => {
    const closed = createClient({ url: server.url });
    const lazy = new IoRedis(server.url, { lazyConnect: true });
    for (const client of [closed, fromIoredis(lazy)]) {
      assert.equal(String(await command(await routers.ready({ client }), "PING")), "PONG");
    }
    assert.equal(closed.isOpen, false);
    assert.equal(lazy.status, "wait");
    lazy.disconnect();
  });

  void it("may be closed before the backend is", async () => {
    const client = createClient({ url: server.url });
    client.on("error", () => undefined);
    await client.connect();
    const router = await routers.ready({ client });
    client.destroy();
    assert.equal(await command(router, "PING"), "PONG");
  });

  void it("has to be open if it is a cluster's", async () => {
    const cluster = createCluster({ rootNodes: [{ url: server.url }] });
    await rejectsWith("INVALID_ARGUMENT", /is not open/, routers.make({ client: cluster }).ready(soon()));
    const lazy = new IoCluster([{ port: server.port }], { lazyConnect: true });
    await rejectsWith("INVALID_ARGUMENT", /is not open/, routers.make({ client: fromIoredis(lazy) }).ready(soon()));
    assert.equal(lazy.status, "wait");
  });

  void it("that cannot be used is refused, and it is said why", () => {
    const refuses = (make: () => unknown, message: RegExp): void => {
      assert.throws(
        make,
        (error: unknown) => isHoldfastError(error, "INVALID_ARGUMENT") && message.test(error.message),
      );
    };
    const made = (client: object) => () => routers.make({ client });
    refuses(made(new IoRedis({ lazyConnect: true })), /fromIoredis\(client\)/);
    refuses(() => fromIoredis(new IoRedis({ lazyConnect: true, keyPrefix: "x:" })), /keyPrefix/);
    refuses(() => fromIoredis(new Valkey({ lazyConnect: true, keyPrefix: "x:" })), /keyPrefix/);
    refuses(() => fromIoredis(new IoCluster([], { lazyConnect: true, keyPrefix: "x:" })), /keyPrefix/);
    refuses(
      () => fromIoredis(new IoCluster([], { lazyConnect: true, redisOptions: { keyPrefix: "x:" } })),
      /keyPrefix/,
    );
    refuses(made(createClient({ keyPrefix: "x:" })), /keyPrefix/);
    refuses(made(createCluster({ rootNodes: [], keyPrefix: "x:" })), /keyPrefix/);
    refuses(() => fromIoredis({}), /needs a Redis or a Cluster/);
    refuses(made(createSentinel({ name: "m", sentinelRootNodes: [] })), /redis\+sentinel:\/\//);
    refuses(made(createClientPool()), /cannot be used/);
    refuses(made(createClient().legacy()), /cannot be used/);
    refuses(made(new Map()), /cannot be used/);
  });
});

void describe("an application's cluster", () => {
  let cluster: RedisCluster;
  before(async () => {
    cluster = await startCluster({ kind: "redis", password });
  });
  after(async () => cluster.stop());

  // Keys of three primaries, each of which moves once.
  for (const [name, moving, make] of [
    [
      "node-redis",
      "a",
      async () => {
        const rootNodes = cluster.nodes.slice(0, 2).map(({ url }) => ({ url }));
        const client = createCluster({ rootNodes, defaults: { password } });
        client.on("error", () => undefined);
        await client.connect();
        return { client, end: () => client.destroy() };
      },
    ],
    ["ioredis", "b", async () => ioCluster(IoCluster)],
    ["iovalkey", "c", async () => ioCluster(ValkeyCluster as unknown as typeof IoCluster)],
  ] as const) {
    void it(`of ${name} lends its settings`, async () => {
      const { client, end } = await make();
      try {
        const router = await routers.ready({ client });
        assert.equal(router.topology, "cluster");
        for (const key of ["a", "b", "c", "d", "e"]) {
          await router.send("commands", key, ["SET", key, key]);
          assert.deepEqual(await router.send("renewals", key, ["GET", key]), Buffer.from(key));
        }
        const heard = new Heard();
        await router.subscriber(heard).subscribe("ch", soon());
        await command(router, "PUBLISH", "ch", "1");
        await heard.until(() => heard.messages.length === 1);
        await cluster.failover(router.slotOf(moving));
        await router.ready(soon(), moving);
        await router.send("commands", moving, ["SET", moving, "2"]);
      } finally {
        await routers.close();
        end();
      }
    });
  }

  async function ioCluster(Client: typeof IoCluster): Promise<{ readonly client: object; end(): void }> {
    const nodes = cluster.nodes.slice(0, 2).map(({ host, port }) => ({ host, port }));
    const client = new Client(nodes, { redisOptions: { password } });
    client.on("error", () => undefined);
    await new Promise((resolve) => client.once("ready", resolve));
    return { client: fromIoredis(client), end: () => client.disconnect() };
  }
});
