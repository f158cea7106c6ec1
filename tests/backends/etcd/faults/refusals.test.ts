import assert from "node:assert/strict";
import { connect } from "../../../../src/entries/index.ts";
import { etcdFaultKinds, lacks } from "../../../support/etcd/kinds.ts";
import { startEtcd, startEtcdCluster } from "../../../support/etcd/server.ts";
import { refusalFaults, type RefusingPlace } from "../../../support/faults/refusals.ts";

/** Has no more room for a while: what is written then is refused until it is told that it has room again. */
async function full(kind: (typeof etcdFaultKinds)[number]): Promise<RefusingPlace> {
  const server = await startEtcd({ kind, quota: 24 * 1024 * 1024 });
  const filler = await connect(server.url, { service: "filler" });
  return {
    url: server.url,
    async begin() {
      const store = filler.state<string>("filler");
      let refused = 0;
      // The last ones are small, so that nothing fits any more.
      for (let i = 0; refused < 3; i++) {
        await store.save(`k${i}`, "x".repeat(refused === 0 ? 500_000 : 1)).catch(() => refused++);
      }
    },
    async end() {
      await server.remove("holdfast/s6:filler");
      await server.makeRoom();
    },
    async stop() {
      await filler.close();
      await server.stop();
    },
  };
}

/** A member of a cluster that most members of have gone: nobody leads. */
async function leaderless(kind: (typeof etcdFaultKinds)[number]): Promise<RefusingPlace> {
  const cluster = await startEtcdCluster({ kind });
  const [first, ...others] = cluster.members;
  assert.ok(first);
  return {
    url: first.url,
    async begin() {
      await Promise.all(others.map(async (one) => one.kill()));
      await first.deposed();
    },
    end: async () => Promise.all(others.map(async (one) => one.restart())),
    stop: async () => cluster.stop(),
  };
}

for (const kind of etcdFaultKinds) {
  const skip = lacks(kind);
  refusalFaults(kind, skip, { name: "it is full", says: /space exceeded/, releases: true, start: () => full(kind) });
  refusalFaults(kind, skip, {
    name: "nobody leads",
    says: /no leader/,
    releases: true,
    // It refuses for as long as a cluster takes to start.
    timeout: "4s",
    ttl: "30s",
    start: () => leaderless(kind),
  });
}
