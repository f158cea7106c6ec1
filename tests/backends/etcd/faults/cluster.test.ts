import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { killWorker, pauseWorker, times, type Deed } from "../../../chaos/support/nemesis.ts";
import { runRound, seeds } from "../../../chaos/support/round.ts";
import { etcdFaultKinds, lacks } from "../../../support/etcd/kinds.ts";
import { startEtcdCluster, type EtcdCluster } from "../../../support/etcd/server.ts";

/** Kills the member that leads, and brings it back when another one leads. */
function killLeader(cluster: EtcdCluster): Deed {
  return async ({ random }) => {
    const leader = await cluster.leader();
    await leader.kill();
    await cluster.leader();
    await pause(random.int(0, 400));
    await leader.restart();
  };
}

/** Has the member that leads stand still for longer than the others wait for it. */
function pauseLeader(cluster: EtcdCluster): Deed {
  return async () => {
    const leader = await cluster.leader();
    leader.pause();
    await pause(3_000);
    leader.resume();
  };
}

for (const kind of etcdFaultKinds) {
  for (const seed of seeds(1)) {
    void test(
      `of a cluster of ${kind} the leader is killed and stopped under load: no lock has two holders, nothing is lost (seed ${seed})`,
      { skip: lacks(kind) },
      async (t) => {
        const cluster = await startEtcdCluster({ kind, flushes: true });
        try {
          const deeds = [...times(4, killLeader(cluster)), pauseLeader(cluster), killWorker, pauseWorker(1_500)];
          await runRound(t, { url: cluster.url, seed, deeds, ttl: 900, timeout: 3_000 });
        } finally {
          await cluster.stop();
        }
      },
    );
  }
}
