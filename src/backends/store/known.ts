import type { Time } from "../../base/time.ts";
import type { Cell } from "./store.ts";

/** Cells that are remembered. */
const most = 8_192;
/** No larger content is remembered: what is large is seldom written again at once. */
const largest = 1_024;
/** For how long a cell is read first after somebody else was found to write it, in ms. */
const sharedMs = 1_000;

interface Entry {
  readonly cell: Cell | undefined;
  /** Not to be counted on until then, by the monotonic clock. */
  readonly sharedUntil: number;
}

/**
 * What this process wrote last. A transaction on it needs no read: if it is the cell's state no more, the store
 * refuses. Bounded by number and size.
 */
export class Known {
  readonly #time: Time;
  readonly #entries = new Map<string, Entry>();

  constructor(time: Time) {
    this.#time = time;
  }

  /** The cells under `keys`, if all of them are known. */
  find(keys: readonly string[]): Map<string, Cell | undefined> | undefined {
    const cells = new Map<string, Cell | undefined>();
    for (const key of keys) {
      const entry = this.#entries.get(key);
      if (!entry || entry.sharedUntil > 0) return undefined;
      cells.set(key, entry.cell);
    }
    return cells;
  }

  /** The cell was written by this process, or removed. */
  wrote(key: string, cell: Cell | undefined): void {
    const before = this.#entries.get(key);
    if (before && before.sharedUntil > this.#time.monotonic()) return;
    if (cell && cell.content.byteLength > largest) this.forget(key);
    else this.#put(key, { cell, sharedUntil: 0 });
  }

  /** Nothing is known of the cell. */
  forget(key: string): void {
    this.#entries.delete(key);
  }

  /** Somebody else has written what was known. */
  wasWrong(key: string): void {
    this.#put(key, { cell: undefined, sharedUntil: this.#time.monotonic() + sharedMs });
  }

  #put(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > most) this.#entries.delete(this.#entries.keys().next().value as string);
  }
}
