import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Deed } from "../../../chaos/support/nemesis.ts";
import { runRound } from "../../../chaos/support/round.ts";
import { groupKinds, lacks } from "../../../support/redis/kinds.ts";
import { isReplicating, startSentinel, type SentinelGroup } from "../../../support/redis/sentinel.ts";
import { until } from "../../../support/servers/until.ts";

/** Kills the primary, and brings it back: at once, still a primary by its own account, or when another has its place. */
function killPrimary(group: SentinelGroup, back: "at once" | "later"): Deed {
  return async ({ random }) => {
    const before = await group.primary();
    await before.kill();
    if (back === "later") await group.failedOver(before);
    else await pause(random.int(0, 200));
    await before.restart();
    if (back === "later") await group.rejoin(before);
    await settled(group);
  };
}

/**
 * Resolves when the sentinels agree on one primary, and the other server replicates it. They do nothing for half a minute after a
 * moment in which the machine was so busy that they distrust their clocks.
 */
async function settled(group: SentinelGroup): Promise<void> {
  const replicates = async (): Promise<boolean> => isReplicating(await group.replica());
  await until("a replica", async () => replicates().catch(() => false), 90_000);
}

for (const kind of groupKinds) {
  const skip = lacks(kind);
  void test(
    `sentinels of ${kind} replace its primary: fences rise, and no late write is accepted`,
    { skip },
    async (t) => {
      const group = await startSentinel({ kind, appendonly: "everysec" });
      try {
        const forced: Deed = async () => {
          await group.failover();
          await settled(group);
        };
        const deeds = [killPrimary(group, "later"), forced, killPrimary(group, "at once")];
        // A replica may not have heard of the last writes: what is promised then is less.
        const promised = { keeps: "fences" } as const;
        await runRound(t, { url: group.url, seed: 1, deeds, ttl: 600, timeout: 2_000, slack: 1_500, promised });
      } finally {
        await group.stop();
      }
    },
  );
}
