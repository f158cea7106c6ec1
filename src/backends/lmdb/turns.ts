import type { Time, Timer } from "../../base/time.ts";

/** Added to every delay, so that what should have ended has, in ms. */
const margin = 1;
/** Most locks passed on at a time. */
const atOnce = 64;

/**
 * When to look at locks that somebody waits for, because a hold or the first waiter's claim ends: so the next waiter is told
 * though nobody releases. Each process does so for the locks that it left with waiters.
 */
export class Turns {
  readonly #time: Time;
  readonly #look: (lock: string) => number | undefined;
  readonly #pass: (locks: readonly string[]) => Promise<unknown>;
  readonly #planned = new Map<string, number>();
  #timer: Timer | undefined;
  #timerAt = Infinity;

  /** `look` says in how many ms a lock may pass on, `undefined` if it cannot say; `pass` has locks passed on. */
  constructor(
    time: Time,
    look: (lock: string) => number | undefined,
    pass: (locks: readonly string[]) => Promise<unknown>,
  ) {
    this.#time = time;
    this.#look = look;
    this.#pass = pass;
  }

  /** Has `lock` looked at in `ms`. The last plan for a lock counts. */
  plan(lock: string, ms: number): void {
    const at = this.#time.monotonic() + Math.max(ms, 0) + margin;
    this.#planned.set(lock, at);
    if (at < this.#timerAt) this.#arm(at);
  }

  clear(): void {
    this.#timer?.clear();
    this.#timerAt = Infinity;
    this.#planned.clear();
  }

  #arm(at: number): void {
    this.#timer?.clear();
    this.#timerAt = at;
    this.#timer = this.#time.after(at - this.#time.monotonic(), () => this.#fire());
  }

  #fire(): void {
    this.#timerAt = Infinity;
    const now = this.#time.monotonic();
    const due: string[] = [];
    let next = Infinity;
    for (const [lock, planned] of this.#planned) {
      let at = planned;
      if (planned <= now && due.length < atOnce) {
        this.#planned.delete(lock);
        // Most often somebody has acted meanwhile: then there is nothing to commit.
        const ms = this.#look(lock) ?? Infinity;
        if (ms <= 0) due.push(lock);
        if (ms <= 0 || ms === Infinity) continue;
        this.#planned.set(lock, (at = now + ms + margin));
      }
      next = Math.min(next, at);
    }
    if (next < Infinity) this.#arm(next);
    // Should it fail, the waiters' own patience is behind it.
    if (due.length > 0) this.#pass(due).catch(() => undefined);
  }
}
