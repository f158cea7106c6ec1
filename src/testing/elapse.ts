import { setImmediate as turn, setTimeout as pause } from "node:timers/promises";

/**
 * Lets more than `ms` pass, by the wall clock and by the monotonic one: what a place on a real server needs. A timer
 * alone may fire a fraction of a millisecond before its time, and a server that counts whole milliseconds has not seen
 * the last one then. What was due by then has happened too: a process that stood still runs its timers in any order,
 * and reads what has arrived after them.
 */
export async function elapse(ms: number): Promise<void> {
  const wall = Date.now() + ms + 1;
  const monotonic = performance.now() + ms;
  for (;;) {
    const left = Math.max(wall - Date.now(), monotonic - performance.now());
    if (left <= 0) break;
    await pause(Math.ceil(left));
  }
  await turn();
  await pause(1); // a deadline of a client runs behind all other timers, by one of its own
  await turn();
}
