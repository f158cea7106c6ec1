import type { Time } from "../base/time.ts";

/**
 * How much earlier than at the server a lease ends here, in ms: for clocks of different speeds (1% of the ttl) and for
 * the step of the timers (20 ms), but at most a quarter of the ttl.
 */
export function marginMs(ttlMs: number): number {
  return Math.min(ttlMs / 4, 20 + ttlMs / 100);
}

/** A moment on both clocks. */
export interface Moment {
  readonly mono: number;
  readonly wall: number;
}

/** Now, on both clocks. */
export function momentOf(time: Time): Moment {
  return { mono: time.monotonic(), wall: time.wall() };
}

/**
 * Milliseconds from one moment to another, by the clock that went further: the monotonic clock stands still while the
 * machine sleeps.
 */
export function passedMs(since: Moment, now: Moment): number {
  return Math.max(now.mono - since.mono, now.wall - since.wall);
}
