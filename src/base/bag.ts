/** What can be in a {@link Bag}: it keeps its own place there. */
export interface Placed {
  /** Kept by the bag that it is in; one at a time. */
  place?: number | undefined;
}

/**
 * A set for things that come and go all the time, in no particular order. A `Set` makes a new table after every few
 * changes, and each old one keeps alive what was in it, and the next table, until the whole heap is collected: what
 * comes and goes a hundred thousand times a second would be kept, and copied, for long after it has gone.
 */
export class Bag<T extends Placed> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    item.place = this.#items.push(item) - 1;
  }

  /** Whether it was there. */
  delete(item: T): boolean {
    const { place } = item;
    if (place === undefined || this.#items[place] !== item) return false;
    item.place = undefined;
    const last = this.#items.pop() as T;
    if (last !== item) {
      this.#items[place] = last;
      last.place = place;
    }
    return true;
  }

  /** What is in it now, for a loop that changes it. */
  toArray(): T[] {
    return [...this.#items];
  }
}
