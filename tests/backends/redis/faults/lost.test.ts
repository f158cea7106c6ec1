import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerKind } from "../servers.ts";
import { connect, isHoldfastError } from "../../../../src/entries/index.ts";
import { startCluster } from "../../../support/redis/cluster.ts";
import { groupKinds, lacks } from "../../../support/redis/kinds.ts";
import { hasCaughtUp, isReplicating, startSentinel } from "../../../support/redis/sentinel.ts";
import type { RedisServer } from "../../../support/redis/server.ts";
import { until } from "../../../support/servers/until.ts";

/** Servers whose primary for the key `k` can be lost with what its replica has not heard of. */
interface Group {
  readonly url: string;
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  /** Resolves when the replica, which runs, is the primary. */
  promoted(): Promise<unknown>;
  /** Resolves when the primary that was lost, and runs again, follows the other. */
  rejoined(): Promise<void>;
  stop(): Promise<void>;
}

async function withSentinel(kind: ServerKind): Promise<Group> {
  const group = await startSentinel({ kind, appendonly: "always" });
  const primary = await group.primary();
  return {
    url: group.url,
    primary,
    replica: await group.replica(),
    promoted: async () => group.failedOver(primary),
    rejoined: async () => group.rejoin(primary),
    stop: async () => group.stop(),
  };
}

async function withCluster(kind: ServerKind): Promise<Group> {
  const cluster = await startCluster({ kind, appendonly: "always" });
  const slot = await cluster.slotOf("k");
  const primary = await cluster.primaryOf(slot);
  const [replica] = (await cluster.replicasOf(primary)) as [RedisServer];
  return {
    url: cluster.url,
    primary,
    replica,
    // A cluster promotes no replica that was away for long unless it is told to.
    async promoted() {
      await replica.command("CLUSTER", "FAILOVER", "TAKEOVER");
      await cluster.failedOver(slot, primary);
    },
    rejoined: async () => until("the old primary to follow", async () => isReplicating(primary)),
    stop: async () => cluster.stop(),
  };
}

async function rejects(call: Promise<unknown>, ...codes: readonly string[]): Promise<void> {
  await assert.rejects(call, (error) => isHoldfastError(error) && codes.includes(error.code));
}

const arrangements = { sentinels: withSentinel, "a cluster": withCluster };

for (const [arrangement, start] of Object.entries(arrangements)) {
  for (const kind of groupKinds) {
    const skip = lacks(kind);
    const title = `what a replica of ${kind} has not heard of is lost with the primary (${arrangement}), and a lease among it guards nothing`;
    void test(title, { skip }, async () => {
      const group = await start(kind);
      const options = { service: "lost", timeout: "10s" } as const;
      const [one, other] = await Promise.all([connect(group.url, options), connect(group.url, options)]);
      try {
        const records = one.state<string>("records");
        await records.save("k", "before");
        await hasCaughtUp(group.replica, group.primary);
        await group.replica.kill();
        const lease = await one.lock("work").acquire("k", { ttl: "60s", renew: false });
        await records.save("k", "acknowledged", { lease });
        assert.equal(await records.load("k"), "acknowledged");

        await group.primary.kill();
        await group.replica.restart();
        await group.promoted();

        // This is what `exclusion: "primary"` leaves open, and no `durability` speaks of: the write and the lease are gone.
        assert.equal(await other.state<string>("records").load("k"), "before");
        assert.equal(lease.signal.aborted, false, "its holder does not know");
        await rejects(records.save("k", "late", { lease }), "FENCED");

        const next = await other.lock("work").acquire("k", { ttl: "60s", wait: 0 });
        assert.ok(next.fence > lease.fence, "fences rise across the loss");
        await other.state<string>("records").save("k", "next", { lease: next });
        await rejects(records.save("k", "late", { lease }), "FENCED");
        await rejects(lease.extend(), "LEASE_LOST", "FENCED");
        assert.equal(lease.signal.aborted, true, "now it knows");

        await group.primary.restart();
        assert.equal(await records.load("k"), "next", "whatever the old primary takes itself for");
        await group.rejoined();
        assert.equal(await records.load("k"), "next");
        await next.release();
      } finally {
        await Promise.all([one.close(), other.close()]);
        await group.stop();
      }
    });
  }
}
