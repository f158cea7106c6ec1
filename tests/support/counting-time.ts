import type { Time } from "../../src/base/time.ts";

/** A clock that counts its timers. */
export interface CountingTime extends Time {
  /** How many were ever set. */
  readonly armed: number;
  /** How many of them have neither come nor been cleared. */
  readonly live: number;
}

/** Counts the timers of `time`. */
export function countingTime(time: Time): CountingTime {
  let [armed, live] = [0, 0];
  return {
    wall: () => time.wall(),
    monotonic: () => time.monotonic(),
    after(ms, fn, options) {
      armed++;
      live++;
      let over = false;
      const end = (): void => {
        if (!over) live--;
        over = true;
      };
      const come = (): void => {
        end();
        fn();
      };
      const timer = time.after(ms, come, options);
      const clear = (): void => {
        end();
        timer.clear();
      };
      return { clear };
    },
    get armed() {
      return armed;
    },
    get live() {
      return live;
    },
  };
}
