import { CorruptValueError } from "../../base/errors.ts";
import { keyId, type Key } from "../../base/keys.ts";
import type { ListedRecord } from "../../port/index.ts";
import { emptyLock, endOf, handOff, type HandedOff, type LockRecord } from "../common/lock-rules.ts";
import type { Fence, SetOn, Shown, View, Written } from "../common/view.ts";
import { decodeLock, decodeRow, encodeLock, encodeRow, type Row, type StoredRow } from "./content.ts";
import type { ObservedLocks } from "./observed-locks.ts";
import type { Cell, Change, Check, Transaction } from "./store.ts";

/**
 * How long the last grant of a lock that nobody uses is kept: by so much a clock may be set back, and grants still
 * rise.
 */
const keepGrantMs = 24 * 3_600_000;

/**
 * Thrown by a view that does not know the time, or was not asked for what is needed: the group needs a read. Made
 * once: it costs nothing.
 */
export const needsRead = new Error("needs a read");

/** Stands for a cell that nobody has looked at: who asks what is in it needs a read. */
export const unseen: Cell = { content: new Uint8Array(), revision: "" };

/** A lock whose holder was granted it in passing: to be told. */
export interface Passed extends HandedOff {
  readonly lock: Key;
}

/** A row, whether a group of this view has written its record, and whether nobody knows what was there. */
interface SeenRow extends Row {
  written?: true;
  isUnseen?: true;
}

/**
 * Cells at one moment, as records and locks, and what groups make of them. Where `now` is undefined, because the
 * cells come from memory and nobody knows the server's time, whoever asks for it throws {@link needsRead}.
 */
export class CellView implements View<Key, Written, StoredRow> {
  readonly renewsClaims = false;
  readonly passed: Passed[] = [];
  /** Cells that were asked for and not read: stamps. */
  readonly missing = new Set<string>();
  readonly #cells: ReadonlyMap<string, Cell | undefined>;
  readonly #now: number | undefined;
  readonly #observed: ObservedLocks | undefined;
  readonly #rows = new Map<string, SeenRow>();
  readonly #locks = new Map<string, LockRecord>();
  readonly #changed = new Set<string>();
  /** The latest moment that was taken for past, and the first that was taken for yet to come. */
  #ended = 0;
  #ends = Infinity;

  /** With `observed` the server has no clock. */
  constructor(cells: ReadonlyMap<string, Cell | undefined>, now: number | undefined, observed?: ObservedLocks) {
    this.#cells = cells;
    this.#now = now;
    this.#observed = observed;
  }

  get now(): number {
    return this.#observed?.now ?? this.wall;
  }

  get wall(): number {
    if (this.#now === undefined) throw needsRead;
    return this.#now;
  }

  get hasChanged(): boolean {
    return this.#changed.size > 0;
  }

  find({ space, key }: Key): StoredRow | undefined {
    return this.#live(this.#row(space.id + key));
  }

  idOf(found: StoredRow): string {
    return found.id;
  }

  endOf(found: StoredRow): number {
    return found.until;
  }

  current(_: Key, found: StoredRow): StoredRow | undefined {
    let current = true;
    for (const [cell, id] of found.stamps ?? []) {
      if (!this.#cells.has(cell)) {
        this.missing.add(cell);
        continue;
      }
      if (this.#live(this.#row(cell))?.id !== id) current = false;
    }
    if (this.missing.size > 0) throw needsRead;
    return current ? found : undefined;
  }

  show({ key }: Key, { id, value, until, stamps }: StoredRow, as?: Shown): ListedRecord {
    const own = as?.keyOnly ? "" : typeof value === "string" ? value : new Uint8Array(value);
    const record = until === Infinity ? { key, id, value: own } : { key, id, value: own, expiresAt: until };
    if (as?.stamped !== "show" || !stamps) return record;
    return { ...record, stamps: stamps.map(([stamp, current]) => ({ key: stamp, id: current })) };
  }

  put({ key, id, value, stamps }: SetOn<Key, Written>, end: number): void {
    const kept = stamps?.length ? stamps.map((one) => [keyId(one.key), one.id] as const) : undefined;
    this.#change(key, { id, value, until: end, stamps: kept });
  }

  touch(key: Key, end: number): void {
    const { record } = this.#row(keyId(key));
    if (record) this.#change(key, { ...record, until: end });
  }

  remove(key: Key): void {
    if (this.#row(keyId(key)).record) this.#change(key, undefined);
  }

  floor(key: Key): Fence | undefined {
    const { floor } = this.#row(keyId(key));
    // No commit depends on its end: a floor that is not reached is raised as well, and a lower fence writes nothing.
    return floor && !this.#hasEnded(floor) ? floor : undefined;
  }

  raiseFloor(key: Key, { grant, n }: Fence, keepMs: number): void {
    const cell = keyId(key);
    const row = this.#row(cell);
    row.floor = { grant, n, until: Math.max(row.floor?.until ?? 0, this.wall + keepMs) };
    this.#changed.add(cell);
  }

  lock(key: Key): LockRecord {
    const cell = keyId(key);
    let lock = this.#locks.get(cell);
    if (lock) return lock;
    const found = this.#cells.get(cell);
    const observed = this.#observed;
    const decode = observed ? (content: Uint8Array): LockRecord => observed.decode(content) : decodeLock;
    this.#locks.set(cell, (lock = found ? decoded(decode, found, cell) : emptyLock()));
    // Nobody else takes it without changing its cell, whenever the commit comes.
    if (observed) return lock;
    // A hold may be what a group counts on. Who waits too long only keeps a place, and a mark only refuses.
    for (const one of lock.holds) this.#isLive(one.until);
    for (const one of lock.queue) this.#hasEnded(one);
    for (const one of lock.marks) this.#hasEnded(one);
    return lock;
  }

  leastGrant(lock: LockRecord): number {
    if (!this.#observed) return Math.floor(this.now * 1_000);
    const least = this.#observed.leastGrant(lock);
    if (least === undefined) throw needsRead;
    return least;
  }

  saveLock(key: Key, lock: LockRecord): void {
    if (this.#observed?.isKnown(lock) === false) throw needsRead;
    for (const granted of handOff(lock, this.now, this.leastGrant(lock))) this.passed.push({ ...granted, lock: key });
    this.#changed.add(keyId(key));
  }

  /** What {@link transaction} gave is done. */
  committed(): void {
    this.#observed?.committed();
  }

  /**
   * What the store is to do. With `guessed` the cells come from memory, and the time is a moment that has not passed:
   * what has ended by then must have ended when the commit comes.
   * With `alone` nothing is compared but what changes: the store can do no more.
   */
  transaction({ guessed, alone }: { readonly guessed: boolean; readonly alone: boolean }): Transaction {
    const changes: Change[] = [];
    for (const key of this.#changed) {
      const found = this.#cells.get(key);
      const on = found === unseen ? ({ revision: undefined, blind: true } as const) : { revision: found?.revision };
      changes.push({ key, ...on, ...this.#content(key) });
    }
    const checks: Check[] = [];
    if (!alone) {
      for (const [key, cell] of this.#cells)
        if (!this.#changed.has(key)) checks.push({ key, revision: cell?.revision });
    }
    const notBefore = guessed && this.#ended > 0 ? this.#ended : undefined;
    return { checks, changes, notBefore, notAfter: this.#ends === Infinity ? undefined : this.#ends };
  }

  #content(cell: string): Pick<Change, "content" | "until" | "keepsEnd"> {
    const lock = this.#locks.get(cell);
    if (lock && this.#observed) return this.#observed.encode(lock, this.wall);
    if (lock) return { content: encodeLock(lock), until: Math.max(endOf(lock), this.now + keepGrantMs) };
    const row = this.#row(cell);
    // What has ended goes; that is no reason to ask for the time.
    const knows = this.#now !== undefined;
    const record = knows && row.record && this.#hasEnded(row.record) ? undefined : row.record;
    const floor = knows && row.floor && this.#hasEnded(row.floor) ? undefined : row.floor;
    if (!record && !floor) return { content: undefined, until: Infinity };
    return { content: encodeRow({ record, floor }), until: Math.max(record?.until ?? 0, floor?.until ?? 0) };
  }

  #change(key: Key, record: StoredRow | undefined): void {
    const cell = keyId(key);
    const row = this.#row(cell);
    row.record = record;
    row.written = true;
    this.#changed.add(cell);
  }

  #row(cell: string): SeenRow {
    let row = this.#rows.get(cell);
    if (row) return row;
    const found = this.#cells.get(cell);
    row = found && found !== unseen ? decoded(decodeRow, found, cell) : { record: undefined, floor: undefined };
    if (found === unseen) row.isUnseen = true;
    this.#rows.set(cell, row);
    return row;
  }

  /** The record of a row. One that was written here ends as of the commit, so nothing depends on when that comes. */
  #live({ record, written, isUnseen }: SeenRow): StoredRow | undefined {
    if (isUnseen && !written) throw needsRead;
    if (!record) return undefined;
    return (written ? !this.#hasEnded(record) : this.#isLive(record.until)) ? record : undefined;
  }

  /** Whether it has ended; nothing depends on whether it still has not when the commit comes. */
  #hasEnded({ until }: { readonly until: number }): boolean {
    if (until === Infinity || until > this.wall) return false;
    this.#ended = Math.max(this.#ended, until);
    return true;
  }

  /** Whether what ends then has not ended; if so, the group counts on it. */
  #isLive(end: number): boolean {
    if (end === Infinity) return true;
    if (this.#hasEnded({ until: end })) return false;
    if (end < this.#ends) this.#ends = end;
    return true;
  }
}

function decoded<T>(decode: (content: Uint8Array) => T, { content }: Cell, cell: string): T {
  try {
    return decode(content);
  } catch (error) {
    throw new CorruptValueError(`what is stored in the cell ${JSON.stringify(cell)} cannot be read`, { cause: error });
  }
}
