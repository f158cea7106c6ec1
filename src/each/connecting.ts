import { isAway, UnavailableError } from "../base/errors.ts";
import { connect, type Holdfast } from "../entries/index.ts";
import { delay } from "./delay.ts";

/** Connects to a store, waiting for one that is away. Rejects with UnavailableError when it was not there in time. */
export function connectPatiently(url: string, timeoutMs: number, signal: AbortSignal): Promise<Holdfast> {
  // Nothing runs in this instance that close would have to wait for: the worker has ended before.
  return patiently(timeoutMs, signal, () => connect(url, { drain: 0 }));
}

/** Makes a request, again and again while the store is away. It must be one that may be made twice. */
export async function patiently<T>(timeoutMs: number, signal: AbortSignal, request: () => Promise<T>): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (let wait = 100; ; wait = Math.min(wait * 2, 1000)) {
    try {
      return await request();
    } catch (error) {
      if (!isAway(error)) throw error;
      if (signal.aborted || performance.now() + wait > end) {
        throw new UnavailableError(`the store was away for ${timeoutMs / 1000} s: ${(error as Error).message}`, {
          cause: error,
        });
      }
      await delay(wait, signal);
    }
  }
}
