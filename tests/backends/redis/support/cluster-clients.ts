import { after, afterEach, before } from "node:test";
import { redisBackend } from "../../../../src/backends/redis/index.ts";
import type { Backend } from "../../../../src/port/index.ts";
import { Client } from "../../../../src/testing/port/client.ts";
import { startCluster, type RedisCluster } from "../../../support/redis/cluster.ts";

/** What the tests of a suite work with. */
export interface ClusterClients {
  /** Runs while the suite does. */
  readonly cluster: RedisCluster;
  /** A new one on a backend of its own, which is closed with its test. */
  client(): Promise<Client>;
}

/** A cluster for the suite at hand, emptied after each test. */
export function clusterClients(): ClusterClients {
  let cluster: RedisCluster;
  const made: Backend[] = [];
  before(async () => {
    cluster = await startCluster({ kind: "redis" });
  });
  afterEach(async () => {
    await Promise.all(made.splice(0).map(async (backend) => backend.close()));
    for (const node of cluster.nodes.slice(0, 3)) await node.command("FLUSHALL");
  });
  after(async () => cluster.stop());
  return {
    get cluster() {
      return cluster;
    },
    async client() {
      const backend = redisBackend({ url: cluster.url, settings: "warn" });
      made.push(backend);
      await backend.open();
      return new Client(backend);
    },
  };
}
