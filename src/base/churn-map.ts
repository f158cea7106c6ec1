/**
 * A map whose entries come and go all the time. A `Map` makes a new table after every few changes, and each old one keeps alive
 * what was in it, and the next table, until the whole heap is collected. Here what was deleted leaves its key behind, to be
 * used again, and now and then a new `Map` takes what there is: nothing leads there from the old one.
 */
export class ChurnMap<K, V extends object | number | string> {
  #map = new Map<K, V | undefined>();
  /** Keys left behind. */
  #gone = 0;

  get size(): number {
    return this.#map.size - this.#gone;
  }

  /** Keys in the table, with those left behind: at most 1,025 and twice {@link size}. */
  get keysHeld(): number {
    return this.#map.size;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  set(key: K, value: V): void {
    const size = this.#map.size;
    const before = this.#map.get(key);
    this.#map.set(key, value);
    if (before === undefined && this.#map.size === size) this.#gone--;
  }

  delete(key: K): void {
    if (this.#map.get(key) === undefined) return;
    this.#map.set(key, undefined);
    this.#gone++;
    if (this.#gone > 1_024 && this.#gone > this.size) this.#renew();
  }

  #renew(): void {
    const old = this.#map;
    this.#map = new Map();
    this.#gone = 0;
    for (const [key, value] of old) if (value !== undefined) this.#map.set(key, value);
  }
}
