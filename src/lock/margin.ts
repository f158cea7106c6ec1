/**
 * How much earlier than the server a lease ends here: for clocks that run at different speeds (1% of the ttl) and for the
 * step of the timers that tell of it (20 ms), but never more than a quarter of a short lease.
 */
export function marginMs(ttlMs: number): number {
  return Math.min(ttlMs / 4, 20 + ttlMs / 100);
}

/** A moment on both clocks. */
export interface Moment {
  readonly mono: number;
  readonly wall: number;
}
