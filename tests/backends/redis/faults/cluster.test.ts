import { test } from "node:test";
import { killWorker, times, type Deed, type Stage } from "../../../chaos/support/nemesis.ts";
import { runRound } from "../../../chaos/support/round.ts";
import { startCluster, type RedisCluster } from "../../../support/redis/cluster.ts";
import { groupKinds, lacks } from "../../../support/redis/kinds.ts";
import { isReplicating } from "../../../support/redis/sentinel.ts";
import { until } from "../../../support/servers/until.ts";

// The keys of the workload, each its own tag: the slots that something happens in.
const keys = ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "g0", "g1", "g2", "g3"];

async function anySlot(cluster: RedisCluster, { random }: Stage): Promise<number> {
  return cluster.slotOf(random.pick(keys));
}

/** Moves a slot that is in use to another primary, key by key. */
function moveSlot(cluster: RedisCluster): Deed {
  return async (stage) => {
    const slot = await anySlot(cluster, stage);
    const source = await cluster.primaryOf(slot);
    let target = source;
    while (target === source) target = await cluster.primaryOf(stage.random.int(0, 16_384));
    await cluster.moveSlot(slot, target);
  };
}

/** Makes a replica the primary, once it has everything. */
function handOver(cluster: RedisCluster): Deed {
  return async (stage) => {
    await cluster.failover(await anySlot(cluster, stage));
    await settled(cluster);
  };
}

/** Kills a primary, and brings it back when its replica has its place. */
function killPrimary(cluster: RedisCluster): Deed {
  return async (stage) => {
    const slot = await anySlot(cluster, stage);
    const before = await cluster.primaryOf(slot);
    await before.kill();
    await cluster.failedOver(slot, before);
    await before.restart();
    await settled(cluster);
  };
}

/** Resolves when the cluster is whole and every replica has what its primary has. */
async function settled(cluster: RedisCluster): Promise<void> {
  await cluster.whole();
  for (const node of cluster.nodes) {
    await until("a replica", async () => {
      const isReplica = String(await node.command("INFO", "replication")).includes("role:slave");
      return !isReplica || (await isReplicating(node));
    });
  }
}

for (const kind of groupKinds) {
  const skip = lacks(kind);

  void test(`slots of a cluster of ${kind} move under load, and the history holds`, { skip }, async (t) => {
    const cluster = await startCluster({ kind, appendonly: "everysec" });
    try {
      const deeds = [...times(12, moveSlot(cluster)), ...times(2, handOver(cluster)), killWorker];
      await runRound(t, { url: cluster.url, seed: 1, deeds, ttl: 900, timeout: 2_000, slack: 1_500 });
    } finally {
      await cluster.stop();
    }
  });

  void test(
    `primaries of a cluster of ${kind} are killed: fences rise, and no late write is accepted`,
    { skip },
    async (t) => {
      const cluster = await startCluster({ kind, appendonly: "everysec" });
      try {
        const deeds = times(2, killPrimary(cluster));
        // A replica may not have heard of the last writes: what is promised then is less.
        const promised = { keeps: "fences" } as const;
        await runRound(t, { url: cluster.url, seed: 1, deeds, ttl: 900, timeout: 2_000, slack: 1_500, promised });
      } finally {
        await cluster.stop();
      }
    },
  );
}
