import { setTimeout as pause } from "node:timers/promises";

/**
 * Lets more than `ms` pass, by the wall clock and by the monotonic one: what a place on a real server needs. A timer
 * alone may fire a fraction of a millisecond before its time, and a server that counts whole milliseconds has not seen
 * the last one then.
 */
export async function elapse(ms: number): Promise<void> {
  const wall = Date.now() + ms + 1;
  const monotonic = performance.now() + ms;
  for (;;) {
    const left = Math.max(wall - Date.now(), monotonic - performance.now());
    if (left <= 0) return;
    await pause(Math.ceil(left));
  }
}
