import type { Time } from "../base/time.ts";

/** Deadlines of many calls on few timers: they are kept in buckets, so a call costs a set entry and no timer of its own. */
const bucketMs = 16;

/** Something to be told when its time is over. */
export interface Expiring {
  readonly deadline: number;
  expire(): void;
}

/** Calls `expire` at most one bucket after the deadline, never before it. */
export class Deadlines {
  readonly #time: Time;
  readonly #buckets = new Map<number, Set<Expiring>>();

  constructor(time: Time) {
    this.#time = time;
  }

  add(item: Expiring): void {
    const slot = Math.ceil(item.deadline / bucketMs);
    let bucket = this.#buckets.get(slot);
    if (!bucket) {
      this.#buckets.set(slot, (bucket = new Set()));
      this.#arm(slot);
    }
    bucket.add(item);
  }

  delete(item: Expiring): void {
    this.#buckets.get(Math.ceil(item.deadline / bucketMs))?.delete(item);
  }

  #arm(slot: number): void {
    this.#time.after(slot * bucketMs - this.#time.monotonic(), () => {
      if (this.#time.monotonic() < slot * bucketMs) return this.#arm(slot); // longer than a timer can hold, or fired early
      const due = this.#buckets.get(slot) as Set<Expiring>;
      this.#buckets.delete(slot);
      for (const item of due) item.expire();
    });
  }
}
