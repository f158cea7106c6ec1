import type { LockState } from "../port/index.ts";

/** How soon the next one in the queue asks again, in ms, and how much later each behind it. */
export const soonestMs = 25;
const placeMs = 15;
/** Where nothing has changed for long, it waits for this share of that time, up to so many ms. */
const share = 1 / 16;
const longestMs = 200;

/**
 * How soon one contender asks again where the store does not signal grants. The next one in the queue is granted the
 * lock without a word, so it asks often; those behind it have that much longer to wait. Where nothing has changed for
 * long, nothing is likely to change soon: so what a hand-off takes is a fraction of what the lock was held.
 */
export class Polling {
  #ahead = -1;
  #highest = 0;
  #since = 0;

  /** The pause before it asks again, in ms, after a refusal at that moment. */
  pauseMs({ holders }: LockState, ahead: number, now: number): number {
    const highest = holders.reduce((most, { grant }) => Math.max(most, grant), 0);
    if (ahead !== this.#ahead || highest !== this.#highest) {
      this.#ahead = ahead;
      this.#highest = highest;
      this.#since = now;
    }
    return Math.max(soonestMs, Math.min((now - this.#since) * share, longestMs)) + ahead * placeMs;
  }
}
