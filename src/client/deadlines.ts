import { Bag, type Placed } from "../base/bag.ts";
import { Idle, type Idling } from "../base/idle.ts";
import type { Time, Timer } from "../base/time.ts";

/** How much time a bucket covers, in ms. The deadlines of many calls share the timer of their bucket. */
const usualMs = 16;

/** How long a request to a backend is left after its deadline, in ms: its own error at the deadline says more. */
export function lastWordMs({ exact }: Time): number {
  return exact ? 0 : 10;
}

/**
 * As `time.after`, but behind all other timers that are due by then: a process that stood still runs them in any order.
 */
export function afterOthers(time: Time, ms: number, fn: () => void, options?: { readonly ref?: boolean }): Timer {
  const others = (): void => void (timer = time.after(0, fn, options));
  let timer = time.after(ms, others, options);
  return { clear: () => timer.clear() };
}

/** Something that ends at a deadline. It is in one {@link Deadlines} at a time. */
export interface Expiring extends Placed {
  readonly deadline: number;
  expire(): void;
}

interface Bucket extends Idling {
  readonly slot: number;
  readonly items: Bag<Expiring>;
  timer: Timer;
}

/** Calls `expire` at most 16 ms after the deadline, or 1 ms where the clock is exact; never before it. */
export class Deadlines {
  readonly #time: Time;
  readonly #bucketMs: number;
  readonly #lateBy: number | undefined;
  readonly #buckets = new Map<number, Bucket>();
  /** Empty buckets with their timers: calls that come and go need the same buckets again and again. */
  readonly #idle = new Idle<Bucket>();
  /** The bucket that was used last: the next call likely needs it. */
  #last: Bucket | undefined;
  /** The bucket whose items expire now. */
  #due: Bucket | undefined;

  /** `lateBy`: so many ms are added to each deadline, and what else is due by then goes first. */
  constructor(time: Time, lateBy?: number) {
    this.#time = time;
    this.#bucketMs = time.exact ? 1 : usualMs;
    this.#lateBy = lateBy;
  }

  add(item: Expiring): void {
    this.#bucketOf(this.#slotOf(item)).items.add(item);
  }

  /** Takes an item out: it does not expire, even if other items of its bucket do so now. */
  delete(item: Expiring): void {
    const slot = this.#slotOf(item);
    if (this.#due?.slot === slot && this.#due.items.delete(item)) return;
    const bucket = this.#last?.slot === slot ? this.#last : this.#buckets.get(slot);
    if (!bucket?.items.delete(item) || bucket.items.size > 0) return;
    const oldest = this.#idle.keep(bucket);
    if (oldest) this.#prune(oldest);
  }

  #slotOf({ deadline }: Expiring): number {
    return Math.ceil((deadline + (this.#lateBy ?? 0)) / this.#bucketMs);
  }

  #bucketOf(slot: number): Bucket {
    let bucket = this.#last;
    if (bucket?.slot === slot) return bucket;
    bucket = this.#buckets.get(slot);
    if (bucket === undefined) {
      bucket = { slot, items: new Bag(), timer: this.#arm(slot), idle: false };
      this.#buckets.set(slot, bucket);
    }
    return (this.#last = bucket);
  }

  /** Drops an empty bucket. Else calls with long timeouts would leave a timer for each bucket until they are over. */
  #prune(bucket: Bucket): void {
    if (bucket.items.size > 0 || this.#buckets.get(bucket.slot) !== bucket) return;
    bucket.timer.clear();
    this.#buckets.delete(bucket.slot);
    if (this.#last === bucket) this.#last = undefined;
  }

  #arm(slot: number): Timer {
    const ms = slot * this.#bucketMs - this.#time.monotonic();
    const expire = (): void => this.#expire(slot);
    return this.#lateBy !== undefined ? afterOthers(this.#time, ms, expire) : this.#time.after(ms, expire);
  }

  #expire(slot: number): void {
    const bucket = this.#buckets.get(slot);
    if (!bucket) return;
    if (this.#time.monotonic() < slot * this.#bucketMs) {
      bucket.timer = this.#arm(slot); // longer than a timer can hold, or fired early
      return;
    }
    this.#buckets.delete(slot);
    if (this.#last === bucket) this.#last = undefined;
    this.#due = bucket;
    for (const item of bucket.items.toArray()) if (bucket.items.delete(item)) item.expire();
    this.#due = undefined;
  }
}
