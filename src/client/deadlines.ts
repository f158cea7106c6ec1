import { Bag, type Placed } from "../base/bag.ts";
import type { Time, Timer } from "../base/time.ts";

/** Deadlines of many calls on few timers: they are kept in buckets, so a call costs a place in one and no timer of its own. */
const bucketMs = 16;

/** Something to be told when its time is over; in the care of one {@link Deadlines} at a time. */
export interface Expiring extends Placed {
  readonly deadline: number;
  expire(): void;
}

interface Bucket {
  readonly slot: number;
  readonly items: Bag<Expiring>;
  timer: Timer;
}

/** Calls `expire` at most one bucket after the deadline, never before it. */
export class Deadlines {
  readonly #time: Time;
  readonly #buckets = new Map<number, Bucket>();
  /** The bucket that was used last: it stays when it is empty, for the next call will likely need it. */
  #last: Bucket | undefined;

  constructor(time: Time) {
    this.#time = time;
  }

  add(item: Expiring): void {
    const slot = Math.ceil(item.deadline / bucketMs);
    let bucket = this.#last;
    if (bucket?.slot !== slot) {
      const before = bucket;
      bucket = this.#buckets.get(slot) ?? this.#open(slot);
      this.#last = bucket;
      if (before) this.#prune(before);
    }
    bucket.items.add(item);
  }

  delete(item: Expiring): void {
    const bucket = this.#buckets.get(Math.ceil(item.deadline / bucketMs));
    if (bucket?.items.delete(item)) this.#prune(bucket);
  }

  /** Without it, calls with long timeouts would leave a timer each 16 ms behind, for as long as those are. */
  #prune(bucket: Bucket): void {
    if (bucket.items.size > 0 || bucket === this.#last) return;
    bucket.timer.clear();
    this.#buckets.delete(bucket.slot);
  }

  #open(slot: number): Bucket {
    const bucket: Bucket = { slot, items: new Bag(), timer: this.#arm(slot) };
    this.#buckets.set(slot, bucket);
    return bucket;
  }

  #arm(slot: number): Timer {
    return this.#time.after(slot * bucketMs - this.#time.monotonic(), () => this.#due(slot));
  }

  #due(slot: number): void {
    const bucket = this.#buckets.get(slot);
    if (!bucket) return;
    if (this.#time.monotonic() < slot * bucketMs) {
      bucket.timer = this.#arm(slot); // longer than a timer can hold, or fired early
      return;
    }
    this.#buckets.delete(slot);
    if (this.#last === bucket) this.#last = undefined;
    for (const item of bucket.items.toArray()) if (bucket.items.delete(item)) item.expire();
  }
}
