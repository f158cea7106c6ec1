import { Bag, type Placed } from "../base/bag.ts";
import { Idle, type Idling } from "../base/idle.ts";
import type { Time, Timer } from "../base/time.ts";

/**
 * Deadlines of many calls on few timers: they are kept in buckets, so a call costs a place in one and no timer of its
 * own.
 */
const bucketMs = 16;

/** Something to be told when its time is over; in the care of one {@link Deadlines} at a time. */
export interface Expiring extends Placed {
  readonly deadline: number;
  expire(): void;
}

interface Bucket extends Idling {
  readonly slot: number;
  readonly items: Bag<Expiring>;
  timer: Timer;
}

/** Calls `expire` at most one bucket after the deadline, never before it. */
export class Deadlines {
  readonly #time: Time;
  readonly #buckets = new Map<number, Bucket>();
  /** Empty ones, with their timers: calls that come and go need the same ones again and again. */
  readonly #idle = new Idle<Bucket>();
  /** The bucket that was used last: the next call will likely need it. */
  #last: Bucket | undefined;
  /** The bucket whose items are being told. */
  #due: Bucket | undefined;

  constructor(time: Time) {
    this.#time = time;
  }

  add(item: Expiring): void {
    this.#bucketOf(Math.ceil(item.deadline / bucketMs)).items.add(item);
  }

  /** Takes an item back: it is not told, also if others of its bucket just are. */
  delete(item: Expiring): void {
    const slot = Math.ceil(item.deadline / bucketMs);
    if (this.#due?.slot === slot && this.#due.items.delete(item)) return;
    const bucket = this.#last?.slot === slot ? this.#last : this.#buckets.get(slot);
    if (!bucket?.items.delete(item) || bucket.items.size > 0) return;
    const oldest = this.#idle.keep(bucket);
    if (oldest) this.#prune(oldest);
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

  /** Without it, calls with long timeouts would leave a timer each 16 ms behind, for as long as those are. */
  #prune(bucket: Bucket): void {
    if (bucket.items.size > 0 || this.#buckets.get(bucket.slot) !== bucket) return;
    bucket.timer.clear();
    this.#buckets.delete(bucket.slot);
    if (this.#last === bucket) this.#last = undefined;
  }

  #arm(slot: number): Timer {
    return this.#time.after(slot * bucketMs - this.#time.monotonic(), () => this.#tell(slot));
  }

  #tell(slot: number): void {
    const bucket = this.#buckets.get(slot);
    if (!bucket) return;
    if (this.#time.monotonic() < slot * bucketMs) {
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
