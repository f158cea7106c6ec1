/** What can be in a {@link ChurnMap}: fit to be used again once it has gone. */
export interface Churned {
  readonly key: string;
  /** Kept by the map that it is in. */
  gone: boolean;
}

/**
 * A map whose items come and go all the time. A `Map` makes a new table after every few changes, and each old one keeps
 * alive what was in it, and the next table, until the whole heap is collected. Here an item that goes stays in its
 * place, to be used again should its key come back, and now and then a new `Map` takes those that have not gone:
 * nothing leads there from the old one.
 */
export class ChurnMap<T extends Churned> {
  readonly #make: (key: string) => T;
  #map = new Map<string, T>();
  /** How many have gone and are still in their places. */
  #gone = 0;

  constructor(make: (key: string) => T) {
    this.#make = make;
  }

  get size(): number {
    return this.#map.size - this.#gone;
  }

  /** Keys in the table, with those of items that have gone: at most 1,025 and twice {@link size}. */
  get keysHeld(): number {
    return this.#map.size;
  }

  get(key: string): T | undefined {
    const item = this.#map.get(key);
    return item === undefined || item.gone ? undefined : item;
  }

  /** What is in it now, for a loop that changes it. */
  toArray(): T[] {
    return [...this.#map.values()].filter(({ gone }) => !gone);
  }

  /** The item of a key: the one that is there, else one that had gone, else a new one. */
  use(key: string): T {
    let item = this.#map.get(key);
    if (item === undefined) this.#map.set(key, (item = this.#make(key)));
    else if (item.gone) {
      item.gone = false;
      this.#gone--;
    }
    return item;
  }

  /** Lets an item of this map go. */
  leave(item: T): void {
    if (item.gone) return;
    item.gone = true;
    this.#gone++;
    if (this.#gone > 1_024 && this.#gone > this.size) this.#renew();
  }

  #renew(): void {
    const old = this.#map;
    this.#map = new Map();
    this.#gone = 0;
    for (const [key, item] of old) if (!item.gone) this.#map.set(key, item);
  }
}
