import type { Base, Ttl } from "../state/commit.ts";
import type { Fault, Item } from "./item.ts";
import type { CachedRecord, OpenCommit } from "./records.ts";

/** What a commit does with a record. */
export interface Touch {
  /** The version before the commit: what the store checks. */
  readonly base: Base;
  write: boolean;
  ttl: Ttl;
}

/** A dead letter that is part of a commit. */
export interface Death {
  readonly item: Item;
  readonly error: Fault;
}

/** Items of one partition that have been handled, and commit as one group. */
export class Commit implements OpenCommit {
  readonly items: Item[] = [];
  readonly deaths: Death[] = [];
  /** Items among them that wait behind a dead letter. */
  readonly passed = new Set<Item>();
  readonly touches = new Map<CachedRecord, Touch>();
  /** Where items commit apart from their progress: those that have read or written anything, by their key. */
  readonly marks = new Map<string, number[]>();
  /** Items whose done mark is held until the commit is over. */
  readonly held: Item[] = [];
  /** When its first item was handled, by the monotonic clock. */
  readonly opened = performance.now();
  /** Sends it, so that others may build on what it wrote. */
  readonly seal: () => void;
  #chars = 0;

  constructor(seal: () => void) {
    this.seal = seal;
  }

  /** Records that it has to say something about. */
  get size(): number {
    return this.touches.size + this.marks.size;
  }

  /** Characters of its items and of what they wrote. */
  get chars(): number {
    return this.#chars;
  }

  add(item: Item): void {
    this.items.push(item);
    this.#chars += item.text?.length ?? 0;
  }

  /** Has an item known by its done mark from then on. */
  mark(key: string, id: number): void {
    const ids = this.marks.get(key);
    if (ids) ids.push(id);
    else this.marks.set(key, [id]);
  }

  /** One of its items read the record. */
  read(record: CachedRecord): void {
    if (record.writer === this || this.touches.has(record)) return;
    record.writer?.seal(); // it changed under another partition: that must commit first
    this.#touch(record);
    record.readers.push(this);
  }

  /** Changes the record for this commit and for whoever reads it next. `undefined` removes it. */
  write(record: CachedRecord, payload: string | Uint8Array | undefined, ttl: Ttl): void {
    if (record.writer !== this) {
      record.writer?.seal();
      // Sealing takes a commit out of the list.
      for (const reader of record.readers.slice()) if (reader !== this) reader.seal();
      if (!this.touches.has(record)) this.#touch(record);
      record.writer = this;
    }
    const touch = this.touches.get(record) as Touch;
    // What an earlier write of the commit said is what is kept: it is not stored yet.
    if (ttl !== "keep" || !touch.write) touch.ttl = ttl;
    touch.write = true;
    record.payload = payload;
    record.revision++;
    this.#chars += payload?.length ?? 0;
  }

  /** Lets others read and write what it held: it was sent, or given up. */
  close(): void {
    for (const record of this.touches.keys()) {
      if (record.writer === this) record.writer = undefined;
      const at = record.readers.indexOf(this);
      if (at >= 0) record.readers.splice(at, 1);
    }
  }

  /** Lets the cache drop its records. */
  unpin(): void {
    for (const record of this.touches.keys()) record.pins--;
  }

  #touch(record: CachedRecord): void {
    this.touches.set(record, { base: record.version, write: false, ttl: undefined });
    record.pins++;
  }
}
