import type { Time } from "../../base/time.ts";
import type { Cell } from "./store.ts";

/** Cells that are remembered, and how many bytes they may take, with what a cell takes besides its content. */
const most = 32_768;
const mostBytes = 8 * 1024 * 1024;
const besides = 100;
/** No larger content is remembered: what is large is seldom written again at once. */
const largest = 1_024;
/** For how long a cell is read first after somebody else was found to write it, in ms. */
const sharedMs = 1_000;

/** Spaces of which it is counted how often a cell was absent. */
const mostSpaces = 256;
/** What one cell that was there weighs against those that were absent: a wrong guess costs a request, and a retry. */
const weight = 4;

interface Entry {
  readonly cell: Cell | undefined;
  /** Not to be counted on until then, by the monotonic clock. */
  readonly sharedUntil: number;
}

/**
 * What this process wrote last, and where it found nothing. A transaction on it needs no read: if it is the cell's
 * state no more, the store refuses. Bounded by number and size.
 */
export class Known {
  readonly #time: Time;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  readonly #absences = new Map<string, number>();

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

  /** Whether a cell of which nothing is known may be taken for absent: those of its space were of late. */
  isNew(key: string, space: string): boolean {
    return !this.#entries.has(key) && (this.#absences.get(space) ?? 0) >= weight;
  }

  /** A cell of the space was read, which a group was to change. */
  saw(space: string, cell: Cell | undefined): void {
    const before = this.#absences.get(space) ?? 0;
    const next = cell ? before - weight : before + 1;
    this.#absences.delete(space);
    this.#absences.set(space, Math.min(Math.max(next, 0), 2 * weight));
    if (this.#absences.size > mostSpaces) this.#absences.delete(this.#absences.keys().next().value as string);
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
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#bytes -= sizeOf(key, entry);
  }

  /** Somebody else has written what was known. */
  wasWrong(key: string): void {
    this.#put(key, { cell: undefined, sharedUntil: this.#time.monotonic() + sharedMs });
  }

  #put(key: string, entry: Entry): void {
    this.forget(key);
    this.#entries.set(key, entry);
    this.#bytes += sizeOf(key, entry);
    while (this.#entries.size > most || this.#bytes > mostBytes) {
      this.forget(this.#entries.keys().next().value as string);
    }
  }
}

function sizeOf(key: string, { cell }: Entry): number {
  return key.length + (cell?.content.byteLength ?? 0) + besides;
}
