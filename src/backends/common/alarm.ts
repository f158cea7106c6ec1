import { Bag, type Placed } from "../../base/bag.ts";
import type { Time, Timer } from "../../base/time.ts";

/** Something that is under way until its deadline at the latest; in the care of one {@link Alarm} at a time. */
export interface Due extends Placed {
  /** By `time.monotonic()`. */
  readonly deadline: number;
}

/**
 * Those that are under way, and one timer for all of them: it is set for the earliest deadline, and stays when that one
 * is over sooner, as nearly all are. It does not keep the process alive.
 */
export class Alarm<T extends Due> {
  readonly #time: Time;
  readonly #onDue: (item: T) => void;
  readonly #items = new Bag<T>();
  #timer: Timer | undefined;
  /** When the timer comes. */
  #at = Infinity;

  /** `onDue` is called for each whose deadline has passed, and takes it out. */
  constructor(time: Time, onDue: (item: T) => void) {
    this.#time = time;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#items.size;
  }

  add(item: T): void {
    this.#items.add(item);
    if (item.deadline < this.#at) this.#set(item.deadline);
  }

  delete(item: T): void {
    this.#items.delete(item);
  }

  #set(at: number): void {
    this.#timer?.clear();
    this.#at = at;
    this.#timer = this.#time.after(at - this.#time.monotonic(), () => this.#ring());
  }

  #ring(): void {
    this.#at = Infinity;
    const now = this.#time.monotonic();
    let next = Infinity;
    for (const item of this.#items.toArray()) {
      if (item.deadline <= now) this.#onDue(item);
      else next = Math.min(next, item.deadline);
    }
    if (next < this.#at) this.#set(next);
  }
}
