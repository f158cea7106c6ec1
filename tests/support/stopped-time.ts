import assert from "node:assert/strict";
import type { Time } from "../../src/base/time.ts";

interface StoppedTimer {
  readonly ms: number;
  readonly fn: () => void;
}

/** A clock that stands still, and timers that run when they are told to. */
export class StoppedTime implements Time {
  readonly timers = new Map<object, StoppedTimer>();

  wall(): number {
    return 0;
  }

  monotonic(): number {
    return 0;
  }

  after(ms: number, fn: () => void): { clear(): void } {
    const timer = { clear: (): void => void this.timers.delete(timer) };
    this.timers.set(timer, { ms, fn });
    return timer;
  }

  /** Runs the timers that were set for so many ms, and says how many. */
  run(ms: number): number {
    const due = [...this.timers].filter(([, timer]) => timer.ms === ms);
    for (const [key, { fn }] of due) {
      this.timers.delete(key);
      fn();
    }
    return due.length;
  }

  /** Runs the only timer that is set, and says how long it was. */
  runOnly(): number {
    assert.equal(this.timers.size, 1);
    const [{ ms }] = [...this.timers.values()] as [StoppedTimer];
    this.run(ms);
    return ms;
  }
}
