import type { Batch } from "./batch.ts";
import type { Item } from "./item.ts";

/**
 * Keys that dead letters stop. Until its dead letter has committed a key is stopped for the time being only: what is refused
 * starts anew, and must find nothing of it.
 */
export abstract class Stopping {
  readonly #fresh = new Set<string>();

  /** An item has failed for good: if that stops its key, later items of the key are passed over from now on. */
  died(item: Item): void {
    if (item.key !== undefined && this.stops(item)) this.#fresh.add(item.key);
  }

  /** The batch has committed: what its dead letters have stopped is stopped for good. */
  committed(batch: Batch): void {
    for (const { item } of batch.deaths) {
      if (item.key !== undefined && this.#fresh.delete(item.key)) this.keep(item.key);
    }
  }

  /** Everything starts anew from what has committed. */
  restart(): void {
    this.#fresh.clear();
  }

  /** Whether the key is stopped for the time being. */
  protected isFresh(key: string): boolean {
    return this.#fresh.has(key);
  }

  /** Whether the dead letter of an item stops its key. */
  protected abstract stops(item: Item): boolean;

  /** The key is stopped for good. */
  protected abstract keep(key: string): void;
}
