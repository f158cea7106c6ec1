import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { claimMs } from "../../../src/lock/claim.ts";
import { killHolders, pauseHolders } from "../../chaos/support/holders.ts";
import { killWorker, pauseWorker, times, type Deed } from "../../chaos/support/nemesis.ts";
import { runRound, seeds } from "../../chaos/support/round.ts";
import { onPlace, type FaultPlace, type FaultSubject } from "./place.ts";

/** Ends the server, and starts it again on what it had on disk. */
function restart(place: FaultPlace): Deed {
  return async ({ random }) => {
    await place.kill();
    await pause(random.int(0, 400));
    await place.restart();
  };
}

/** What must hold of a server that is ended and started, and of processes that die or stand still. */
export function serverFaults(subject: FaultSubject): void {
  const { name } = subject;
  const skip = subject.skip;
  for (const seed of seeds(1)) {
    void test(
      `${name} is killed and restarted, flushing each write: nothing acknowledged is lost (seed ${seed})`,
      { skip: skip || (!subject.isDurable && `${name} keeps nothing on disk`) },
      async (t) =>
        onPlace(subject, true, async (place) => {
          const deeds = [...times(5, restart(place)), ...times(3, killWorker)];
          await runRound(t, { url: place.url(place.port), seed, deeds, ttl: 600, timeout: 2_000, slack: 1_500 });
        }),
    );

    // Short leases, and such as begin under the claim of a waiter.
    for (const { ttl, past, ms } of [
      { ttl: 600, past: "their leases", ms: 900 },
      { ttl: 2 * claimMs, past: "their claims", ms: claimMs + 300 },
    ]) {
      void test(
        `processes on ${name} are killed and paused past ${past}, and the history holds (seed ${seed})`,
        { skip },
        async (t) =>
          onPlace(subject, false, async (place) => {
            const deeds = [...times(4, killWorker), ...times(4, pauseWorker(ms))];
            await runRound(t, { url: place.url(place.port), seed, deeds, ttl, timeout: 2_000 });
          }),
      );
    }
  }

  void test(
    `${name} is restarted with nothing: fences rise all the same, and no late write is accepted`,
    { skip: skip || (!subject.fencesOutliveIt && `${name} keeps no fences then`) },
    async (t) =>
      onPlace(subject, false, async (place) => {
        const deeds = [...times(5, async () => place.restart({ keep: false })), ...times(2, killWorker)];
        const promised = { keeps: "fences" } as const;
        const url = place.url(place.port);
        await runRound(t, { url, seed: 1, deeds, ttl: 600, timeout: 2_000, slack: 1_500, promised });
      }),
  );
}

/** What must hold of those who wait for locks of processes that die or stand still; `start` gives the URL of a server. */
export function holderFaults(name: string, skip: string | false, start: () => Promise<string>, ttl?: number): void {
  const options = async () => ({ url: await start(), processes: 2, holders: 50, slack: 250, asks: true, ttl });
  void test(
    `holders on ${name} are killed: nothing acknowledged is lost, the next waiter is in soon`,
    { skip },
    async (t) => killHolders(t, await options()),
  );
  void test(
    `holders on ${name} are paused past their lease: none of their late writes is accepted`,
    { skip },
    async (t) => pauseHolders(t, await options()),
  );
}
