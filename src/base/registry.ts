/** So many keys that have gone are kept in their places. */
const mostGone = 256;

/**
 * A map by texts that come and go all the time and do not come back. A `Map` makes a new table after every few changes, and each old
 * one keeps alive what was in it, and the next table, until the whole heap is collected. Here a key that goes keeps its place, without
 * what it named, and now and then a new `Map` takes those that have not gone: nothing leads there from the old one.
 */
export class Registry<T> {
  #map = new Map<string, T | undefined>();
  #gone = 0;

  /** Keys in the table, with those that have gone: at most 257 more, or twice as many. */
  get keysHeld(): number {
    return this.#map.size;
  }

  get(key: string): T | undefined {
    return this.#map.get(key);
  }

  set(key: string, item: T): void {
    if (this.#map.get(key) === undefined && this.#map.has(key)) this.#gone--;
    this.#map.set(key, item);
  }

  delete(key: string): void {
    if (this.#map.get(key) === undefined) return;
    this.#map.set(key, undefined);
    this.#gone++;
    if (this.#gone > mostGone && 2 * this.#gone > this.#map.size) this.#renew();
  }

  /** What is in it now, for a loop that changes it. */
  toArray(): T[] {
    const items: T[] = [];
    for (const item of this.#map.values()) if (item !== undefined) items.push(item);
    return items;
  }

  #renew(): void {
    const old = this.#map;
    this.#map = new Map();
    this.#gone = 0;
    for (const [key, item] of old) if (item !== undefined) this.#map.set(key, item);
  }
}
