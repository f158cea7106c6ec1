import { deferred } from "../../base/async.ts";
import { OneSignal } from "../one-signal.ts";
import { benchCase, guards } from "./bench.ts";
import type { Case } from "../suite.ts";

const many = 1_000;

/** One signal for many calls. */
export const signalCases: readonly Case[] = [
  benchCase(
    "a thousand waiters under one signal share a listener, and each ends by it",
    "every call 1: it ends by its signal",
    async (bench) => {
      const lock = bench.lock({ ttl: 400 * bench.unit, wait: 400 * bench.unit });
      const holder = bench.lock({ ttl: 400 * bench.unit });
      const leases = [await holder.acquire("k"), await holder.acquire("other")];
      const one = new OneSignal();
      const { signal } = one;
      const waits: Promise<unknown>[] = Array.from({ length: many }, () => lock.acquire("k", { signal }));
      for (let i = 0; i < 20; i++) waits.push(lock.acquire(["k", "other"], { signal }));
      await bench.waiting("k", 21, "lock", 40 * bench.unit);
      await one.ends("they wait", waits);
      for (const lease of leases) await lease.release();
    },
  ),
  benchCase(
    "runs and elections that were given one signal leave nothing on it",
    "every call 1: it ends by its result",
    async (bench) => {
      // Fifty leases at once keep a slow store busy: none is to end meanwhile.
      const lock = bench.transactingLock(bench.instance(), { ttl: 400 * bench.unit });
      const one = new OneSignal();
      const { signal } = one;
      const ids = Array.from({ length: 50 }, (_, i) => `id ${i}`);
      await Promise.all(ids.map((id) => lock.run(id, () => id, { signal })));
      await Promise.all(ids.map((id) => lock.elect(`${id}, elected`, () => id, { signal })));
      await Promise.all(
        ids.map((id) => lock.runOnce(id, () => id, { signal, keep: 400 * bench.unit, wait: 400 * bench.unit })),
      );
      await one.quiet("runs that have settled");
    },
    guards,
  ),
  benchCase(
    "runs and elections under one signal share a listener of ours, and each ends by it",
    "locks 9 and 10: the function gets a signal",
    async (bench) => {
      // Fifty leases at once keep a slow store busy: none is to end meanwhile.
      const lock = bench.transactingLock(bench.instance(), { ttl: 400 * bench.unit });
      const one = new OneSignal();
      const { signal } = one;
      const all = deferred<void>();
      const ids = Array.from({ length: 50 }, (_, i) => `id ${i}`);
      let running = 0;
      const untilAborted = (given: AbortSignal): Promise<never> => {
        if (++running === 2 * ids.length) all.resolve();
        return new Promise((_, reject) => {
          given.addEventListener("abort", () => reject(given.reason as Error), { once: true });
        });
      };
      const calls: Promise<unknown>[] = [];
      for (const id of ids) {
        calls.push(lock.runOnce(id, (context) => untilAborted(context.signal), { signal, keep: 400 * bench.unit }));
        const elected = lock.elect(`${id}, elected`, (_, given) => untilAborted(given), { signal });
        // It ends without an error.
        calls.push(elected.then((value) => (value === undefined ? one.reason : value)));
      }
      await Promise.race([all.promise, Promise.all(calls)]);
      await one.ends("functions run", calls);
    },
    guards,
  ),
];
