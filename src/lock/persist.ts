import { isRefusal } from "../base/errors.ts";
import type { LockHost } from "./host.ts";

const firstPauseMs = 20;
const longestPauseMs = 500;

/** For how long a request is repeated. */
export interface Persistence {
  /** When to stop, by `time.monotonic()`. Called before each pause. */
  until(): number;
  /** Ends the pauses. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a request, and repeats it with pauses while the store refuses such requests for now. Rejects with the last
 * error, or the signal's reason.
 */
export async function persist<R>(
  host: LockHost,
  { until, signal }: Persistence,
  request: () => R | Promise<R>,
): Promise<R> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return await request();
    } catch (error) {
      if (!isRefusal(error) || !host.isOpen() || host.time.monotonic() + pauseMs >= until()) throw error;
    }
    await host.pause(pauseMs, { ref: true, signal });
    signal?.throwIfAborted();
  }
}
