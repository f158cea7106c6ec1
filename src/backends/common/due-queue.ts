import type { Time, Timer } from "../../base/time.ts";

/** Something that has to be looked at again at some time. */
export interface Scheduled {
  /** When the queue looks at it next; `Infinity` while it is not queued. Only the queue writes it. */
  queuedAt: number;
}

/** Items looked at in one step, so that a mass expiry never holds up the event loop. */
const stepSize = 1_000;
/** Longest sleep: a wall clock that was set forward is noticed after so long. */
const longestSleep = 60_000;
/** Entries of cancelled items that are tolerated before they are swept out. */
const slack = 1_024;

/**
 * Calls `visit` for each item once its time has come, on one timer that runs only while something is queued. A binary
 * heap with lazy deletion: an item that is put off stays where it is and is put back when it is found too early, so
 * that arming the ttl of a record or a lease anew costs nothing.
 */
export class DueQueue<Item extends Scheduled> {
  readonly #time: Time;
  readonly #now: () => number;
  readonly #visit: (item: Item, now: number) => void;
  /** The heap: two arrays side by side, so that an entry is no object of its own. */
  #times: number[] = [];
  #items: Item[] = [];
  /** Items that are queued; the rest of the heap's entries are stale. */
  #queued = 0;
  #timer: Timer | undefined;
  #armedAt = Infinity;
  #paused = true;

  constructor(time: Time, now: () => number, visit: (item: Item, now: number) => void) {
    this.#time = time;
    this.#now = now;
    this.#visit = visit;
  }

  /** Entries in the heap, stale ones included. */
  get size(): number {
    return this.#items.length;
  }

  /** Has `item` visited at `at`, or earlier if it is queued for earlier: `visit` then schedules it again. */
  schedule(item: Item, at: number): void {
    if (item.queuedAt <= at) return;
    if (item.queuedAt === Infinity) this.#queued++;
    item.queuedAt = at;
    this.#push(at, item);
    if (this.#items.length > 2 * this.#queued + slack) this.#compact();
    if (at < this.#armedAt) this.#arm();
  }

  /** Forgets `item`. */
  cancel(item: Item): void {
    if (item.queuedAt === Infinity) return;
    item.queuedAt = Infinity;
    this.#queued--;
  }

  /** Stops the timer, until {@link resume}. */
  pause(): void {
    this.#paused = true;
    this.#disarm();
  }

  /** Starts the timer, if there is something to wait for. */
  resume(): void {
    this.#paused = false;
    this.#arm();
  }

  #disarm(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#armedAt = Infinity;
  }

  #arm(): void {
    this.#disarm();
    const first = this.#times[0];
    if (first === undefined || this.#paused) return;
    this.#armedAt = first;
    const sleep = Math.min(Math.max(Math.ceil(first - this.#now()), 1), longestSleep);
    this.#timer = this.#time.after(sleep, () => this.#step());
  }

  #step(): void {
    const now = this.#now();
    // Visits schedule items again; none of these may start a timer that the end of the step starts anyway.
    this.#armedAt = -Infinity;
    for (let i = 0; i < stepSize; i++) {
      const at = this.#times[0];
      if (at === undefined || at > now) break;
      const item = this.#pop();
      if (item.queuedAt !== at) continue;
      this.cancel(item);
      this.#visit(item, now);
    }
    this.#arm();
  }

  #push(at: number, item: Item): void {
    const times = this.#times;
    const items = this.#items;
    let i = times.length;
    times.push(at);
    items.push(item);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = times[parent] as number;
      if (above <= at) break;
      times[i] = above;
      items[i] = items[parent] as Item;
      i = parent;
    }
    times[i] = at;
    items[i] = item;
  }

  #pop(): Item {
    const top = this.#items[0] as Item;
    const at = this.#times.pop() as number;
    const item = this.#items.pop() as Item;
    if (this.#items.length > 0) this.#sink(0, at, item);
    return top;
  }

  #sink(start: number, at: number, item: Item): void {
    const times = this.#times;
    const items = this.#items;
    const length = times.length;
    let i = start;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= length) break;
      if (child + 1 < length && (times[child + 1] as number) < (times[child] as number)) child++;
      const below = times[child] as number;
      if (below >= at) break;
      times[i] = below;
      items[i] = items[child] as Item;
      i = child;
    }
    times[i] = at;
    items[i] = item;
  }

  /** Drops stale entries and builds the heap anew: linear, and paid for by as many cancels as there are entries. */
  #compact(): void {
    const times = this.#times;
    const items = this.#items;
    let kept = 0;
    for (let i = 0; i < items.length; i++) {
      const item = items[i] as Item;
      if (item.queuedAt !== times[i]) continue;
      times[kept] = times[i] as number;
      items[kept++] = item;
    }
    times.length = kept;
    items.length = kept;
    for (let i = (kept >> 1) - 1; i >= 0; i--) this.#sink(i, times[i] as number, items[i] as Item);
  }
}
