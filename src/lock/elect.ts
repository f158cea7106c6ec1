import { joinSignals, onAbort } from "../base/aborts.ts";
import { isAway, UnavailableError } from "../base/errors.ts";
import { runUnder, type Gate } from "./gate.ts";
import type { Lease } from "./lease.ts";
import type { Terms } from "./options.ts";

const firstPauseMs = 100;
const longestPauseMs = 5_000;

/** What a leader runs. */
export type LeaderFunction<R> = (lease: Lease, signal: AbortSignal) => R | PromiseLike<R>;

/** Campaigns until `fn` has finished as the leader, or the signal, or the end of the instance; see `Lock.elect`. */
export async function elect<R>(gate: Gate, name: string, fn: LeaderFunction<R>, terms: Terms): Promise<R | undefined> {
  const { table } = gate;
  const { signal } = terms;
  const isOver = (): boolean => signal?.aborted === true || !table.isTaking();
  for (let pauseMs = firstPauseMs; !isOver();) {
    let lease: Lease;
    try {
      lease = (await gate.enter(name, { terms, mode: "exclusive", limit: undefined, quiet: false })) as Lease;
    } catch (error) {
      if (isOver()) break;
      if (!isAway(error)) throw error;
      table.report("campaign for an election", error);
      await pause(gate, pauseMs, signal);
      pauseMs = Math.min(2 * pauseMs, longestPauseMs);
      continue;
    }
    pauseMs = firstPauseMs;
    const led = await lead(gate, lease, fn, signal);
    if (led) return led.value;
  }
  return undefined;
}

/** Leads once: the function's value, or undefined if the lease was lost meanwhile, or the signal ended it. */
async function lead<R>(
  gate: Gate,
  lease: Lease,
  fn: LeaderFunction<R>,
  signal: AbortSignal | undefined,
): Promise<{ readonly value: R } | undefined> {
  const { campaigning, instance } = gate.table;
  const lost = lease.signal;
  const closing = new AbortController();
  const resigned = joinSignals(closing.signal, signal);
  const over = joinSignals(lost, resigned.signal);
  const end = (): void => {
    closing.abort(new UnavailableError("this instance is closing", { backend: instance.backend.name }));
  };
  campaigning.add(end);
  if (!gate.table.isTaking()) end();
  try {
    const value = await runUnder(gate.table, lease, async (held) => fn(held, over.signal));
    return lost.aborted ? undefined : { value };
  } catch (error) {
    if (over.signal.aborted && error === over.signal.reason) return undefined;
    if (!lost.aborted) throw error;
    // It was told to stop, and how it did so is not what the caller waits for.
    if (error !== lost.reason) gate.table.report("lead after a lost election", error);
    return undefined;
  } finally {
    over.end();
    resigned.end();
    campaigning.delete(end);
  }
}

/** Ends early when the signal does, or the instance begins to close. Keeps the process alive: the caller waits. */
async function pause(gate: Gate, ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      timer.clear();
      gate.table.campaigning.delete(done);
      unheard();
      resolve();
    };
    const timer = gate.table.time.after(ms, done, { ref: true });
    gate.table.campaigning.add(done);
    const unheard = onAbort(signal, done);
  });
}
