import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Cluster as IoCluster, Redis as IoRedis } from "ioredis";
import { Cluster as ValkeyCluster, Redis as Valkey } from "iovalkey";
import { createClient, createCluster } from "redis";
import { startCluster, type RedisCluster } from "../../../support/redis/cluster.ts";
import { startRedis, type RedisServer } from "../../../support/redis/server.ts";
import { connect } from "../../../../src/entries/index.ts";
import { fromIoredis, redis } from "../../../../src/entries/redis.ts";

// Whatever an application's client is told of how it sends, waits, repeats and reads: nothing of it matters to us, and no client
// here has a listener for errors, for we are not to need one.

const nodeRedisSettings: Readonly<Record<string, object>> = {
  "RESP 3 with types of its own": { RESP: 3, commandOptions: { typeMapping: { [36]: Buffer, [58]: String } } },
  "RESP 2": { RESP: 2 },
  "a timeout of each command": { commandOptions: { timeout: 1 } },
  disableOfflineQueue: { disableOfflineQueue: true },
  clientSideCache: { RESP: 3, clientSideCache: { ttl: 1_000, maxEntries: 10 } },
  emitInvalidate: { RESP: 3, emitInvalidate: true },
  "a socketTimeout and a pingInterval": { pingInterval: 10, socket: { socketTimeout: 20 } },
  "a short queue": { commandsQueueMaxLength: 1 },
  readonly: { readonly: true },
  "a name": { name: "app" },
  "no reconnecting": { socket: { reconnectStrategy: false } },
};

const ioredisSettings: Readonly<Record<string, object>> = {
  "nothing told": {},
  enableAutoPipelining: { enableAutoPipelining: true },
  "maxRetriesPerRequest: null": { maxRetriesPerRequest: null },
  reconnectOnError: { reconnectOnError: () => 2 },
  stringNumbers: { stringNumbers: true },
  readOnly: { readOnly: true },
  "enableOfflineQueue: false": { enableOfflineQueue: false },
  "a commandTimeout": { commandTimeout: 1 },
  "a socketTimeout": { socketTimeout: 1 },
  autoResendUnfulfilledCommands: { autoResendUnfulfilledCommands: true },
  scripts: { scripts: { callBuffer: { lua: "return 1", numberOfKeys: 0 } } },
  "RESP 3": { protocol: 3 },
  "the mapping of RESP 3": { protocol: 3, replyMapping: "resp3" },
  monitor: { monitor: true },
  "no retryStrategy": { retryStrategy: () => null },
  showFriendlyErrorStack: { showFriendlyErrorStack: true },
  "a connectionName": { connectionName: "app" },
};

/** What shows a wrong type, a command of another connection, or one that is not sent. */
async function works(client: object, prefix: string): Promise<void> {
  const backend = redis({ client, prefix });
  const hf = await connect(backend, { service: "settings" });
  try {
    const counts = hf.state<{ n: number }>("counts");
    const changes = (await counts.watch())[Symbol.asyncIterator]();
    await counts.save("a", { n: 0 });
    await Promise.all(Array.from({ length: 20 }, async () => counts.update("a", ({ n }) => ({ n: n + 1 }))));
    assert.deepEqual(await counts.loadMany(["a", "b"]), new Map([["a", { n: 20 }]]));
    assert.equal((await changes.next()).done, false);
    await counts.save("{a}ends", { n: 1 }, { ttl: "1h" });
    const listed: string[] = [];
    for await (const { key } of counts.list()) listed.push(key);
    assert.deepEqual(listed.toSorted(), ["a", "{a}ends"]);
    await hf.lock("turns").run("a", async (lease) => {
      await lease.extend();
      await counts.save("a", { n: -1 }, { lease });
    });
    assert.deepEqual(await counts.load("a"), { n: -1 });
  } finally {
    await hf.close();
    await backend.close();
  }
}

void describe("settings of an application's client do not matter", () => {
  let server: RedisServer;
  before(async () => {
    server = await startRedis({ kind: "redis", appendonly: "everysec" });
  });
  after(async () => server.stop());

  for (const [name, options] of Object.entries(nodeRedisSettings)) {
    void it(`of node-redis: ${name}`, async () => {
      await works(createClient({ url: `${server.url}/3`, ...options }), `node-${name.replaceAll(" ", "-")}`);
    });
  }

  for (const [driver, Client] of [
    ["ioredis", IoRedis],
    ["iovalkey", Valkey as unknown as typeof IoRedis],
  ] as const) {
    for (const [name, options] of Object.entries(ioredisSettings)) {
      void it(`of ${driver}: ${name}`, async () => {
        const client = new Client({ port: server.port, lazyConnect: true, db: 3, ...options });
        await works(fromIoredis(client), `${driver}-${name.replaceAll(" ", "-")}`);
        assert.equal(client.status, "wait");
      });
    }
  }
});

void describe("settings of an application's cluster do not matter", () => {
  let cluster: RedisCluster;
  before(async () => {
    cluster = await startCluster({ kind: "redis", appendonly: "everysec" });
  });
  after(async () => cluster.stop());

  for (const [name, options] of Object.entries<object>({
    useReplicas: { useReplicas: true },
    minimizeConnections: { minimizeConnections: true },
    "those of its nodes": { defaults: nodeRedisSettings["a socketTimeout and a pingInterval"] ?? {} },
    "RESP 3 and a timeout": { RESP: 3 as const, defaults: { commandOptions: { timeout: 1 } } },
  })) {
    void it(`of node-redis: ${name}`, async () => {
      const client = createCluster(Object.assign({ rootNodes: cluster.nodes.map(({ url }) => ({ url })) }, options));
      client.on("error", () => undefined);
      await client.connect();
      try {
        await works(client, `node-${name.replaceAll(" ", "-")}`);
      } finally {
        client.destroy();
      }
    });
  }

  const whole: Readonly<Record<string, object>> = {
    "scaleReads: slave": { scaleReads: "slave" },
    "scaleReads: all, enableAutoPipelining": { scaleReads: "all", enableAutoPipelining: true },
    "enableOfflineQueue: false": { enableOfflineQueue: false, lazyConnect: false },
    ...Object.fromEntries(
      ["stringNumbers", "reconnectOnError", "maxRetriesPerRequest: null", "scripts"].map((name) => [
        `redisOptions: ${name}`,
        { redisOptions: ioredisSettings[name] ?? {} },
      ]),
    ),
  };
  for (const [driver, Client] of [
    ["ioredis", IoCluster],
    ["iovalkey", ValkeyCluster as unknown as typeof IoCluster],
  ] as const) {
    for (const [name, options] of Object.entries(whole)) {
      void it(`of ${driver}: ${name}`, async () => {
        const client = new Client(
          cluster.nodes.map(({ host, port }) => ({ host, port })),
          options,
        );
        client.on("error", () => undefined);
        try {
          await works(fromIoredis(client), `${driver}-${name.replaceAll(" ", "-").replaceAll(":", "")}`);
        } finally {
          client.disconnect();
        }
      });
    }
  }
});
