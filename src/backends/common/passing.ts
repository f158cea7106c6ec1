import type { Time } from "../../base/time.ts";
import { DueQueue, type Scheduled } from "./due-queue.ts";

/** Added to every wait, so that what should have ended has, in ms. */
const margin = 1;

interface Planned extends Scheduled {
  readonly lock: string;
  /** When it is to be looked at, by the monotonic clock. */
  at: number;
}

/**
 * When to look at locks that somebody waits for, because a hold or the first waiter's claim ends by then: no server
 * does it by itself, and so the next waiter is granted the lock though nobody releases it. One timer for all, which
 * does not keep the process alive.
 */
export class Passing {
  readonly #time: Time;
  readonly #onDue: (locks: readonly string[]) => void;
  readonly #planned = new Map<string, Planned>();
  readonly #queue: DueQueue<Planned>;
  #due: string[] = [];

  /** `onDue` is called with the locks whose time has come, which are planned no more. */
  constructor(time: Time, onDue: (locks: readonly string[]) => void) {
    this.#time = time;
    this.#onDue = onDue;
    this.#queue = new DueQueue(
      time,
      () => time.monotonic(),
      (planned, now) => this.#visit(planned, now),
    );
    this.#queue.resume();
  }

  /** How many locks are to be looked at. */
  get size(): number {
    return this.#planned.size;
  }

  /** Has `lock` looked at in `ms`. The last plan for a lock counts. */
  plan(lock: string, ms: number): void {
    const at = this.#time.monotonic() + Math.max(ms, 0) + margin;
    let planned = this.#planned.get(lock);
    if (planned) planned.at = at;
    else this.#planned.set(lock, (planned = { lock, at, queuedAt: Infinity }));
    this.#queue.schedule(planned, at);
  }

  /** The lock need not be looked at. */
  forget(lock: string): void {
    const planned = this.#planned.get(lock);
    if (!planned) return;
    this.#planned.delete(lock);
    this.#queue.cancel(planned);
  }

  /** No lock need be looked at. */
  clear(): void {
    for (const lock of [...this.#planned.keys()]) this.forget(lock);
  }

  #visit(planned: Planned, now: number): void {
    if (planned.at > now) {
      this.#queue.schedule(planned, planned.at);
      return;
    }
    this.#planned.delete(planned.lock);
    // Those whose time has come at once are handed over together.
    if (this.#due.push(planned.lock) === 1) queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    const due = this.#due;
    this.#due = [];
    this.#onDue(due);
  }
}
