import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { claimMs } from "../../../../src/lock/claim.ts";
import { killWorker, pauseWorker, times, type Deed } from "../../../chaos/support/nemesis.ts";
import { runRound, seeds } from "../../../chaos/support/round.ts";
import { faultKinds, lacks } from "../../../support/redis/kinds.ts";
import { startRedis, type RedisServer } from "../../../support/redis/server.ts";

/** Kills the server, and starts it again on what it had on disk. */
function restart(server: RedisServer): Deed {
  return async ({ random }) => {
    await server.kill();
    await pause(random.int(0, 400));
    await server.restart();
  };
}

for (const kind of faultKinds) {
  const skip = lacks(kind);

  for (const seed of seeds(1)) {
    void test(
      `${kind} is killed and restarted, flushing each write: nothing acknowledged is lost (seed ${seed})`,
      { skip },
      async (t) => {
        const server = await startRedis({ kind, appendonly: "always" });
        try {
          const deeds = [...times(5, restart(server)), ...times(3, killWorker)];
          await runRound(t, { url: server.url, seed, deeds, ttl: 600, timeout: 2_000, slack: 500 });
        } finally {
          await server.stop();
        }
      },
    );

    // Short leases, and such as begin under the claim of a waiter.
    for (const { ttl, past, ms } of [
      { ttl: 600, past: "their leases", ms: 900 },
      { ttl: 2 * claimMs, past: "their claims", ms: claimMs + 300 },
    ]) {
      void test(
        `processes on ${kind} are killed and paused past ${past}, and the history holds (seed ${seed})`,
        { skip },
        async (t) => {
          const server = await startRedis({ kind, appendonly: "everysec" });
          try {
            const deeds = [...times(4, killWorker), ...times(4, pauseWorker(ms))];
            await runRound(t, { url: server.url, seed, deeds, ttl, timeout: 2_000 });
          } finally {
            await server.stop();
          }
        },
      );
    }
  }

  void test(
    `${kind} is restarted with nothing: fences rise all the same, and no late write is accepted`,
    { skip },
    async (t) => {
      const server = await startRedis({ kind, appendonly: "everysec" });
      try {
        const empty: Deed = async () => server.restart({ keep: false });
        const deeds = [...times(5, empty), ...times(2, killWorker)];
        const promised = { keeps: "fences" } as const;
        await runRound(t, { url: server.url, seed: 1, deeds, ttl: 600, timeout: 2_000, slack: 500, promised });
      } finally {
        await server.stop();
      }
    },
  );
}
