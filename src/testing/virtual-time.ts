import { setImmediate as nextTurn } from "node:timers/promises";
import { deferred } from "../base/async.ts";
import { toMs, type Duration } from "../base/durations.ts";
import type { Time } from "../base/time.ts";

/** A clock that stands still until it is told to go on. */
export interface VirtualTime extends Time {
  /**
   * Moves both clocks on and runs the timers that come due, in their order, each at its own time. After each,
   * everything that waits for a promise runs, so what a timer sets off is over, or waits for a later one, before the
   * next runs. Calls follow one another. Rejects with InvalidArgumentError for what is no duration.
   */
  advance(duration: Duration): Promise<void>;
}

interface Entry {
  readonly at: number;
  readonly fn: () => void;
}

/** Makes a clock whose wall time starts at `wall`, in ms since 1970; 2026-01-01 unless told. */
export function virtualTime(options: { readonly wall?: number | undefined } = {}): VirtualTime {
  return new StandingTime(options.wall ?? Date.UTC(2026, 0, 1));
}

class StandingTime implements VirtualTime {
  readonly exact = true;
  readonly #start: number;
  #now = 0;
  #entries = new Set<Entry>();
  #advancing: Promise<void> = Promise.resolve();

  constructor(start: number) {
    this.#start = start;
  }

  wall(): number {
    return this.#start + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, fn: () => void): { clear(): void } {
    const entry: Entry = { at: this.#now + Math.max(ms, 0), fn };
    this.#entries.add(entry);
    return { clear: () => void this.#entries.delete(entry) };
  }

  async advance(duration: Duration): Promise<void> {
    const ms = toMs(duration, "duration", { zero: true });
    const before = this.#advancing;
    const own = deferred<void>();
    this.#advancing = own.promise;
    await before;
    try {
      await this.#advance(ms);
    } finally {
      own.resolve();
    }
  }

  async #advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#entries.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.fn();
      await settle();
    }
    this.#now = end;
  }

  /** The first timer due by `end`; of several at one time, the one that was set first. */
  #next(end: number): Entry | undefined {
    let first: Entry | undefined;
    for (const entry of this.#entries) if (entry.at <= end && (!first || entry.at < first.at)) first = entry;
    return first;
  }
}

/** Turns of the event loop given to what a timer set off. */
const turns = 2;

/**
 * Lets everything run that waits for promises only: microtasks, ticks and immediates end before the loop's next turn.
 */
async function settle(): Promise<void> {
  for (let i = 0; i < turns; i++) await nextTurn();
}
