import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { ServerKind } from "../backends/redis/servers.ts";
import { connect } from "../../src/entries/index.ts";
import { startCluster } from "../support/redis/cluster.ts";
import type { RedisOptions } from "../support/redis/configuration.ts";
import { everyKind, lacks } from "../support/redis/kinds.ts";
import { startSentinel } from "../support/redis/sentinel.ts";
import { startRedis, type RedisServer } from "../support/redis/server.ts";
import { until } from "../support/servers/until.ts";
import { report } from "./support/doctor.ts";

// On real servers: that what is said of settings is what these servers mean by them.

const flavours: Partial<Record<ServerKind, string>> = { valkey: "Valkey", keydb: "KeyDB" };

async function serverFor(t: TestContext, options: RedisOptions): Promise<RedisServer> {
  const server = await startRedis(options);
  t.after(() => server.stop());
  return server;
}

/** Whether `connect` takes it, by the code of its error if not. */
async function opens(url: string): Promise<string> {
  try {
    await (await connect(url)).close();
    return "opens";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

for (const kind of everyKind) {
  describe(`doctor on ${kind}`, { skip: lacks(kind) }, () => {
    it("finds nothing wrong with a server that is set right, and leaves nothing behind", async (t) => {
      const server = await serverFor(t, { kind, appendonly: "always" });
      const { code, said } = await report(server.url);
      assert.equal(code, 0, JSON.stringify(said.findings));
      assert.equal(said.facts["server"]?.["version"], server.version);
      assert.equal(said.facts["server"]?.["flavour"], flavours[kind] ?? "Redis");
      assert.deepEqual([said.capabilities.durability, said.capabilities.exclusion], ["disk", "primary"]);
      assert.equal(said.roundTrips[0]?.count, 50);
      assert.deepEqual(await server.command("KEYS", "*"), []);
      assert.deepEqual(await server.command("CONFIG", "GET", "notify-keyspace-events"), ["notify-keyspace-events", ""]);
      assert.equal(await opens(server.url), "opens");
    });

    it("finds an evicting policy, which connect refuses too, unless told otherwise", async (t) => {
      const server = await serverFor(t, {
        kind,
        appendonly: "everysec",
        settings: { "maxmemory-policy": "allkeys-lru" },
      });
      const { code, said } = await report(server.url);
      assert.equal(code, 1);
      assert.deepEqual(
        said.findings.filter(({ level }) => level === "wrong").map(({ what }) => what),
        ["maxmemory-policy allkeys-lru"],
      );
      assert.equal(said.capabilities.exclusion, "advisory");
      assert.equal(await opens(server.url), "UNSUPPORTED");
      assert.equal(await opens(`${server.url}?use=cache`), "opens");
      assert.equal((await report(`${server.url}?use=cache`)).code, 0);
      const hf = await connect("memory:", { cache: server.url });
      await hf.cache("prices", { ttl: "1m" }).set("btc", 1);
      await hf.close();
    });

    it("finds that nothing is kept, as connect does", async (t) => {
      const server = await serverFor(t, { kind });
      const { code, said } = await report(server.url);
      assert.equal(code, 1);
      assert.match(said.findings[0]?.what ?? "", /no persistence/);
      assert.equal(said.capabilities.durability, "none");
      assert.equal(await opens(server.url), "UNSUPPORTED");
      assert.equal(await opens(`${server.url}?settings=warn`), "opens");
      await server.command("CONFIG", "SET", "save", "3600 1");
      assert.equal(await opens(server.url), "opens");
    });

    it("tells a replica from its primary", async (t) => {
      const primary = await serverFor(t, { kind, appendonly: "always" });
      const settings = { replicaof: `127.0.0.1 ${primary.port}` };
      const replica = await serverFor(t, { kind, appendonly: "always", settings });
      const { code, said } = await report(replica.url);
      assert.equal(code, 1);
      assert.match(said.findings[0]?.what ?? "", /is a replica/);
      assert.equal(await opens(`${replica.url}?settings=warn`), "UNSUPPORTED");
      await until(
        "the replica",
        async () => (await primary.command("INFO", "replication"))?.toString().includes("state=online") === true,
      );
      const of = (await report(primary.url)).said;
      assert.match(String(of.facts["topology"]?.[`127.0.0.1:${replica.port}`]), /^replica of 127\.0\.0\.1/);
      assert.match(of.leavesOpen.join(" "), /Replication is asynchronous/);
    });
  });
}

describe("doctor on dragonfly", { skip: lacks("dragonfly") }, () => {
  it("knows what it keeps, and that it tells of no changes", async (t) => {
    const server = await serverFor(t, { kind: "dragonfly", appendonly: "everysec" });
    const { code, said } = await report(server.url);
    assert.equal(code, 0, JSON.stringify(said.findings));
    assert.equal(said.facts["server"]?.["flavour"], "Dragonfly");
    assert.deepEqual([said.capabilities.durability, said.capabilities.watch], ["none", "none"]);
    const risks = said.findings.filter(({ level }) => level === "risk").map(({ what }) => what);
    assert.deepEqual(risks, ["only snapshots", "keyspace notifications"]);

    const hf = await connect(server.url);
    t.after(() => hf.close());
    await assert.rejects(hf.state("orders").watch(), /Dragonfly tells/);
  });

  it("finds that nothing is kept, as connect does", async (t) => {
    const server = await serverFor(t, { kind: "dragonfly" });
    assert.equal((await report(server.url)).said.findings[0]?.what, "snapshot_cron is empty");
    assert.equal(await opens(server.url), "UNSUPPORTED");
  });
});

describe("a backend that is open", { skip: lacks("redis") }, () => {
  it("looks at the settings again when a connection comes back, and goes on with a warning", async (t) => {
    const server = await serverFor(t, { kind: "redis", appendonly: "everysec" });
    const hf = await connect(server.url);
    t.after(() => hf.close());
    const orders = hf.state<number>("orders");
    await orders.save("1", 1);
    const warned = new Promise<Error & { code?: string }>((resolve) => {
      const hear = (warning: Error & { code?: string }): void => {
        if (warning.code !== "HOLDFAST_SETTINGS") return;
        process.off("warning", hear);
        resolve(warning);
      };
      process.on("warning", hear);
    });
    await server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    await server.command("CLIENT", "KILL", "TYPE", "normal");
    await until("the connection", async () =>
      orders.load("1").then(
        (value) => value === 1,
        () => false,
      ),
    );
    assert.match((await warned).message, /maxmemory-policy allkeys-lru/);
    await orders.save("1", 2);
  });
});

describe("doctor", { skip: lacks("redis") }, () => {
  it("finds that memory is full", async (t) => {
    const server = await serverFor(t, { kind: "redis", appendonly: "always" });
    await server.command("SET", "ballast", "x".repeat(2_000_000));
    await server.command("CONFIG", "SET", "maxmemory", "1000000");
    const { code, said } = await report(server.url);
    assert.equal(code, 1);
    assert.ok(said.findings.some(({ level, what }) => level === "wrong" && what === "maxmemory is reached"));
  });

  it("knows the sentinels, and which of them do not answer", async (t) => {
    const group = await startSentinel({ kind: "redis", appendonly: "everysec" });
    t.after(() => group.stop());
    const whole = await report(group.url);
    assert.equal(whole.code, 0, JSON.stringify(whole.said.findings));
    const topology = whole.said.facts["topology"] ?? {};
    assert.deepEqual([topology["kind"], topology["quorum"]], ["Sentinel", "2 of 3 sentinels"]);
    assert.equal(Object.keys(topology).filter((name) => name.startsWith("sentinel ")).length, 3);

    await group.sentinels[2]?.kill();
    const less = await report(group.url);
    assert.equal(less.code, 0);
    assert.ok(less.said.findings.some(({ level, what }) => level === "risk" && /1 of 3 sentinels/.test(what)));
    await group.sentinels[1]?.kill();
    assert.equal((await report(group.url)).code, 1);
  });

  it("knows the nodes of a cluster and their slots, and refuses one node alone", async (t) => {
    const cluster = await startCluster({ kind: "redis", appendonly: "everysec" });
    t.after(() => cluster.stop());
    const { code, said } = await report(cluster.url);
    assert.equal(code, 0, JSON.stringify(said.findings));
    const topology = said.facts["topology"] ?? {};
    assert.deepEqual([topology["state"], topology["slots covered"]], ["ok", "16384 of 16384"]);
    const roles = Object.values(topology).filter((text) => /^(primary, slots \d|replica of )/.test(String(text)));
    assert.equal(roles.length, 6);
    assert.equal(said.capabilities.transact, "slot");
    assert.equal(said.roundTrips.length, 3);

    const [node, ...others] = cluster.nodes as [RedisServer, ...RedisServer[]];
    assert.equal(await opens(node.url), "UNSUPPORTED");
    const alone = await report(node.url);
    assert.equal(alone.code, 1);
    assert.ok(alone.said.findings.some(({ remedy }) => remedy.includes("redis+cluster://")));

    // Slots that nobody serves: what is left of the cluster is looked at all the same.
    const lost = await cluster.primaryOf(0);
    await Promise.all([lost, ...(await cluster.replicasOf(lost))].map(async (server) => server.kill()));
    const rest = [node, ...others].filter(({ isRunning }) => isRunning);
    await until("the failure", async () =>
      String(await rest[0]?.command("CLUSTER", "INFO")).includes("cluster_state:fail"),
    );
    const seen = await report(`redis+cluster://${rest.map(({ host, port }) => `${host}:${port}`).join(",")}`);
    assert.equal(seen.code, 1);
    assert.ok(seen.said.findings.some(({ level, what }) => level === "wrong" && /slots are not covered/.test(what)));
    assert.equal(seen.said.roundTrips.length, 2);
  });

  it("sees a cluster that goes on without a part of its slots, and opens on it", async (t) => {
    const settings = { "cluster-require-full-coverage": "no" };
    const cluster = await startCluster({ kind: "redis", appendonly: "everysec", settings });
    t.after(() => cluster.stop());
    // Not the one that has the id of the data.
    const home = await cluster.primaryOf(await cluster.slotOf("hf:domain"));
    const slot = [0, 8_000, 16_000].map(async (one) => ({ one, by: await cluster.primaryOf(one) }));
    const [lost] = (await Promise.all(slot)).filter(({ by }) => by !== home).map(({ by }) => by) as [RedisServer];
    await Promise.all([lost, ...(await cluster.replicasOf(lost))].map(async (server) => server.kill()));
    const rest = cluster.nodes.filter(({ isRunning }) => isRunning);
    const url = `redis+cluster://${rest.map(({ host, port }) => `${host}:${port}`).join(",")}`;
    assert.equal(await opens(url), "opens");
    const { code, said } = await report(url);
    assert.equal(code, 1);
    assert.equal(said.roundTrips.length, 2);
  });
});
