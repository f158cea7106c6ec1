import { onAbort } from "../base/aborts.ts";
import { isRefusal } from "../base/errors.ts";
import type { LockTable } from "./table.ts";

const firstPauseMs = 20;
const longestPauseMs = 500;

/** How a request is made again. */
export interface Persistence {
  /** Until when it is, by `time.monotonic()`. Asked before each pause. */
  until(): number;
  /** Ends the pauses. */
  readonly signal?: AbortSignal | undefined;
}

/** Makes a request, again while the store refuses such ones for now, with pauses. Rejects with the last error, or the signal's reason. */
export async function persist<R>(
  table: LockTable,
  { until, signal }: Persistence,
  request: () => R | Promise<R>,
): Promise<R> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return await request();
    } catch (error) {
      if (!isRefusal(error) || !table.isOpen() || table.time.monotonic() + pauseMs >= until()) throw error;
    }
    await pause(table, pauseMs, signal);
    signal?.throwIfAborted();
  }
}

/** Ends early when the signal aborts. */
async function pause(table: LockTable, ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      timer.clear();
      unheard();
      resolve();
    };
    const timer = table.time.after(ms, done, { ref: true });
    const unheard = onAbort(signal, done);
    if (signal?.aborted) done();
  });
}
