import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { Redis as IoRedis } from "ioredis";
import { Redis as Valkey } from "iovalkey";
import { createClient } from "redis";
import { FaultProxy } from "../../../support/fault-proxy.ts";
import { isReplicating, startSentinel } from "../../../support/redis/sentinel.ts";
import { startRedis, type RedisServer } from "../../../support/redis/server.ts";
import { until } from "../../../support/servers/until.ts";
import { connect, isHoldfastError, type Duration, type Holdfast } from "../../../../src/entries/index.ts";
import { fromIoredis, redis, type RedisOptions } from "../../../../src/entries/redis.ts";

// With an application's own client everything comes back as it does by URL, whatever the client itself makes of it: its own
// settings are the drivers' usual ones, under which it would not.

/** How long a silent connection may go unnoticed, and what a busy machine may add, in ms. */
const longest = 12_000;

interface Way {
  readonly name: string;
  options(port: number): Promise<RedisOptions & { close(): void }>;
}

const ways: readonly Way[] = [
  { name: "by URL", options: async (port) => ({ url: `redis://127.0.0.1:${port}`, close: () => undefined }) },
  {
    name: "a client of redis",
    async options(port) {
      const client = createClient({ socket: { port } });
      client.on("error", () => undefined);
      await client.connect();
      return { client, close: () => client.destroy() };
    },
  },
  { name: "a client of ioredis", options: async (port) => adapted(new IoRedis({ port })) },
  { name: "a client of iovalkey", options: async (port) => adapted(new Valkey({ port }) as unknown as IoRedis) },
];

async function adapted(client: IoRedis): Promise<RedisOptions & { close(): void }> {
  client.on("error", () => undefined);
  await new Promise((resolve) => client.once("ready", resolve));
  return { client: fromIoredis(client), close: () => client.disconnect() };
}

interface Service {
  readonly way: Way;
  readonly hf: Holdfast;
  readonly proxy: FaultProxy;
}

/** For each way a service that has written, taken a lock and waited for one. */
async function services(t: TestContext, server: RedisServer): Promise<readonly Service[]> {
  return Promise.all(
    ways.map(async (way, i) => {
      const proxy = await FaultProxy.start({ port: server.port });
      const { close, ...options } = await way.options(proxy.port);
      const backend = redis({ ...options, prefix: `way${i}` });
      const hf = await connect(backend);
      t.after(async () => {
        await hf.close();
        await backend.close();
        close();
        await proxy.close();
      });
      const held = await hf.lock("turns").acquire("1");
      const waiting = hf.lock("turns").acquire("1", { wait: "10s" });
      await held.release();
      await (await waiting).release();
      await works(hf);
      return { way, hf, proxy };
    }),
  );
}

async function works(hf: Holdfast, timeout: Duration = "10s"): Promise<void> {
  const orders = hf.state<number>("orders");
  await orders.save("1", 1, { timeout });
  await orders.save("1", 2, { ttl: "1h", timeout });
  await hf.lock("orders").run("1", async (lease) => orders.save("1", 3, { lease, timeout }), { wait: 0, timeout });
}

/** Until everything goes again; in ms. Calls fail meanwhile, and say why. */
async function untilItWorks(hf: Holdfast): Promise<number> {
  const started = performance.now();
  for (;;) {
    try {
      await works(hf, "1s");
      return performance.now() - started;
    } catch (error) {
      assert.ok(isHoldfastError(error), String(error));
      if (performance.now() - started > longest) throw error;
    }
  }
}

async function allRecover(t: TestContext, all: readonly Service[]): Promise<void> {
  await Promise.all(
    all.map(async ({ way, hf }) => {
      const ms = await untilItWorks(hf);
      t.diagnostic(`${way.name}: ${ms.toFixed(0)} ms`);
    }),
  );
}

void describe("a service recovers, by URL and with its own client", () => {
  let server: RedisServer;
  let other: RedisServer;
  before(async () => {
    [server, other] = await Promise.all([
      startRedis({ kind: "redis", appendonly: "everysec" }),
      startRedis({ kind: "redis", appendonly: "everysec" }),
    ]);
  });
  after(async () => Promise.all([server.stop(), other.stop()]));

  void it("when its server becomes a replica, and a proxy leads to the new primary", async (t) => {
    const all = await services(t, server);
    await server.command("REPLICAOF", "127.0.0.1", String(other.port));
    await until("the replica", async () => isReplicating(server));
    for (const { proxy } of all) proxy.lead(other);
    await allRecover(t, all);
    await server.command("REPLICAOF", "NO", "ONE");
  });

  void it("when its server was a replica for a time", async (t) => {
    const all = await services(t, server);
    await server.command("REPLICAOF", "127.0.0.1", "1");
    for (const { hf } of all) await assert.rejects(works(hf), { code: "UNAVAILABLE" });
    await server.command("REPLICAOF", "NO", "ONE");
    await allRecover(t, all);
  });

  void it("when what it is connected to has gone silent", async (t) => {
    const all = await services(t, server);
    for (const { proxy } of all) proxy.set({ kind: "silence" });
    await allRecover(t, all);
  });

  void it("when nothing passes for a while", async (t) => {
    const all = await services(t, server);
    for (const { proxy } of all) proxy.set({ kind: "black-hole" });
    await Promise.all(all.map(async ({ hf }) => assert.rejects(works(hf, "300ms"))));
    for (const { proxy } of all) proxy.set({ kind: "none" });
    await allRecover(t, all);
  });

  void it("when its server was stopped for a time", async (t) => {
    const all = await services(t, server);
    server.pause();
    t.after(() => server.resume());
    await Promise.all(all.map(async ({ hf }) => assert.rejects(works(hf, "300ms"))));
    server.resume();
    await allRecover(t, all);
  });
});

void describe("a service with a client of ioredis for sentinels", () => {
  void it("follows a failover, also where the client reads from replicas", async (t) => {
    const group = await startSentinel({ kind: "redis", appendonly: "everysec" });
    t.after(async () => group.stop());
    const sentinels = group.sentinels.map(({ host, port }) => ({ host, port }));
    const all = await Promise.all(
      (["master", "slave"] as const).map(async (role) => {
        const client = new IoRedis({ sentinels, name: group.name, role });
        client.on("error", () => undefined);
        const backend = redis({ client: fromIoredis(client), prefix: role });
        const hf = await connect(backend);
        t.after(async () => {
          await hf.close();
          await backend.close();
          client.disconnect();
        });
        await works(hf);
        return { role, hf };
      }),
    );
    await group.failover();
    for (const { role, hf } of all) t.diagnostic(`role ${role}: ${(await untilItWorks(hf)).toFixed(0)} ms`);
  });
});
