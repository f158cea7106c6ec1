import { joinSignals } from "../base/aborts.ts";
import { isAway, UnavailableError } from "../base/errors.ts";
import type { LockHost } from "./host.ts";
import type { Lease } from "./lease.ts";
import type { LockSpace } from "./lock-space.ts";
import type { Terms } from "./options.ts";
import { runUnder } from "./under-lease.ts";

const firstPauseMs = 100;
const longestPauseMs = 5_000;

/** The function that a leader runs. */
export type LeaderFunction<R> = (lease: Lease, signal: AbortSignal) => R | PromiseLike<R>;

/** Campaigns until `fn` has ended as the leader, the signal aborts, or the instance closes; see `Lock.elect`. */
export async function elect<R>(
  locks: LockSpace,
  name: string,
  fn: LeaderFunction<R>,
  terms: Terms,
): Promise<R | undefined> {
  const { host } = locks;
  const { signal } = terms;
  const isOver = (): boolean => signal?.aborted === true || !host.isTaking();
  for (let pauseMs = firstPauseMs; !isOver();) {
    let lease: Lease;
    try {
      lease = (await locks.enter(name, { terms, mode: "exclusive", limit: undefined, quiet: false })) as Lease;
    } catch (error) {
      if (isOver()) break;
      if (!isAway(error)) throw error;
      host.report("campaign for an election", error);
      await host.pause(pauseMs, { ref: true, signal, drains: true });
      pauseMs = Math.min(2 * pauseMs, longestPauseMs);
      continue;
    }
    pauseMs = firstPauseMs;
    const led = await lead(host, lease, fn, signal);
    if (led) return led.value;
  }
  return undefined;
}

/** Leads once. Gives the value of the function, or undefined if the lease was lost meanwhile or the signal ended it. */
async function lead<R>(
  host: LockHost,
  lease: Lease,
  fn: LeaderFunction<R>,
  signal: AbortSignal | undefined,
): Promise<{ readonly value: R } | undefined> {
  const { draining, instance } = host;
  const lost = lease.signal;
  const closing = new AbortController();
  const resigned = joinSignals(closing.signal, signal);
  const over = joinSignals(lost, resigned.signal);
  const leading = {
    drain(): void {
      closing.abort(new UnavailableError("this instance is closing", { backend: instance.backend.name }));
    },
  };
  draining.add(leading);
  if (!host.isTaking()) leading.drain();
  try {
    const value = await runUnder(host, lease, async (held) => fn(held, over.signal));
    return lost.aborted ? undefined : { value };
  } catch (error) {
    if (over.signal.aborted && error === over.signal.reason) return undefined;
    if (!lost.aborted) throw error;
    // The function was aborted, and how it stopped is not what the caller waits for.
    if (error !== lost.reason) host.report("lead after a lost election", error);
    return undefined;
  } finally {
    over.end();
    resigned.end();
    draining.delete(leading);
  }
}
