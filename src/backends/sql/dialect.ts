import type { Key, Space } from "../../base/keys.ts";
import type { Capabilities, Payload } from "../../port/index.ts";
import type { Reply, Statement } from "./client.ts";

/**
 * The statements of one kind of server, and what is in their replies. Each is built for a list of keys or rows, of
 * which none is there twice and which is never empty; where order matters, they come in the order of their bytes.
 *
 * A record is there from its `set` until it is removed; whether it has expired is for the caller to look at, but where
 * a statement says otherwise.
 */
export interface Dialect {
  /** Of the backend, for errors. */
  readonly name: string;
  /** `atomic`: {@link get} says of each record whether its stamps are current. `apart`: a second statement tells. */
  readonly stamps: Capabilities["stamps"];
  /**
   * The records that have not expired, without waiting for anybody: {@link RecordRow}. Without `values` no value
   * travels; without `current` nobody looks whether their stamps are current.
   */
  get(keys: readonly Key[], looks: { readonly values: boolean; readonly current: boolean }): Statement;

  /**
   * Inserts a row with nothing in it for each key that has none, in the order of the keys. `patient`: see {@link
   * LockHow}.
   */
  insertMissing(table: Table, keys: readonly Key[], patient?: boolean): Statement;
  /**
   * Locks the rows of keys, in the order of the keys, and reads them: {@link RecordRow}, {@link LockRow} or {@link
   * FloorRow}, also of records that have expired and of rows with nothing in them.
   */
  lock(table: Table, keys: readonly Key[], how: LockHow): Statement;
  /**
   * Where sessions are not told of grants: reads locks without waiting for anybody, {@link LockRow}, each with the
   * columns of {@link clock} behind it.
   */
  look?(keys: readonly Key[]): Statement;
  /** The server's clock, and below what no grant may be: {@link Clock}. Run after the locks are held. */
  clock(): Statement;

  /** Writes records, in the order of the keys; what was there goes. An end that is counted from now is the server's. */
  set(rows: readonly SetRow[]): Statement;
  /** Gives records that are there another end. */
  touch(rows: readonly EndRow[]): Statement;
  /** Writes locks whose rows are there. */
  setLocks(rows: readonly SavedLock[]): Statement;
  /** Writes floors whose rows are there. */
  setFloors(rows: readonly SavedFloor[]): Statement;
  /** Removes rows. */
  remove(table: Table, keys: readonly Key[]): Statement;

  /** Records of a range that have not expired, in the order of their keys: {@link RecordRow}. */
  page(range: Range, values: boolean): Statement;
  /** Locks of a range, in the order of their keys: {@link LockRow}. */
  pageLocks(range: Range): Statement;

  /**
   * Removes at most `most` rows of a table whose time has come, the oldest first, and skips those that are locked:
   * {@link removed}. Before locks are removed, the grant below which none may be is raised above theirs, in the same
   * statement. Rows whose time came before `from`, in ms since 1970, are left: a server may keep what was removed for a
   * while, and would have to look through all of it.
   */
  sweep(table: Swept, most: number, from: number): Statement;
  /** What is swept: {@link sweep}. */
  readonly swept: readonly Swept[];

  /** Reads a row of meta, and the clock: {@link Noted}. */
  note(name: string): Statement;
  /** Writes a row of meta if it is as it was read, undefined for none; its reply counts it. For texts that we make. */
  swapNote(name: string, before: string | undefined, value: string): Statement;

  records(reply: Reply): readonly RecordRow[];
  removed(reply: Reply): Removed;
  locks(reply: Reply): readonly LockRow[];
  floors(reply: Reply): readonly FloorRow[];
  time(reply: Reply): Clock;
  noted(reply: Reply): Noted;
}

export type Table = "records" | "locks" | "floors";

/** Tables whose rows are over at a time that they say. */
export type Swept = Table | "watchers";

export interface LockHow {
  /**
   * `write`: nobody else may lock the row. `renew`: nobody else but those who `hold` it. `read`: others may lock it to
   * read it, too. `hold`: nobody may lock it to write it. `none`: it is only read.
   */
  readonly mode: "write" | "renew" | "read" | "hold" | "none";
  /** Leaves out rows that somebody else has locked, instead of waiting for them. */
  readonly skip: boolean;
  /** Waits for rows that somebody else has locked as long as the session says, where it would wait less by itself. */
  readonly patient?: boolean | undefined;
  /** Of records: whether their values are read. */
  readonly values: boolean;
}

/** What is in the column `format`. */
export const formats = {
  bytes: 0,
  text: 1,
  /** Text that is the JSON of a state record, and that the server's JSON type can hold. */
  json: 2,
  /** Nothing yet: the row is there to be locked. */
  nothing: 3,
} as const;

/** A record, as read. */
export interface RecordRow {
  /** See `keyId`. */
  readonly id: string;
  /** Whether nothing is in the row: it was inserted to be locked. */
  readonly isEmpty: boolean;
  readonly version: string;
  /** Bytes are nobody else's. `""` where it was not asked for. */
  readonly value: Payload;
  /** In ms since 1970; Infinity for never. */
  readonly end: number;
  /** See `stampsText`. */
  readonly stamps: string | undefined;
  /** Whether all its stamps are current, where the statement tells. */
  readonly isCurrent: boolean | undefined;
}

/** A lock, as read. */
export interface LockRow {
  readonly id: string;
  /** JSON of a `PackedLock`; `""` where nothing is in the row. */
  readonly body: string;
}

/** A fence floor, as read; one of the grant 0 is of a row with nothing in it. */
export interface FloorRow {
  readonly id: string;
  readonly grant: number;
  readonly n: number;
  /** When it is kept no longer, in ms since 1970. */
  readonly until: number;
}

export interface Clock {
  /** Microseconds since 1970. */
  readonly micros: number;
  /** No grant of a lock that was forgotten is above. */
  readonly forgotten: number;
}

/** What a sweep has removed. */
export interface Removed {
  readonly count: number;
  /** When the time of the last one came, in ms since 1970; undefined where that is not known. */
  readonly last: number | undefined;
}

/** A row of meta. */
export interface Noted {
  /** Undefined where there is no such row. */
  readonly value: string | undefined;
  /** The clock, in microseconds since 1970. */
  readonly micros: number;
}

/** A record to be written. */
export interface SetRow {
  readonly key: Key;
  readonly version: string;
  readonly format: 0 | 1 | 2;
  readonly value: Payload;
  /** Whole ms: since 1970 for `at`, from now for `in`. */
  readonly end: { readonly at: number } | { readonly in: number } | undefined;
  /** See `stampsText`. */
  readonly stamps: string | undefined;
}

export interface EndRow {
  readonly key: Key;
  /** Whole ms since 1970; Infinity for never. */
  readonly end: number;
}

export interface SavedLock {
  readonly key: Key;
  readonly body: string;
  /** The highest ever given. */
  readonly grant: number;
  /** Whole ms since 1970. */
  readonly keptUntil: number;
}

export interface SavedFloor {
  readonly key: Key;
  readonly grant: number;
  readonly n: number;
  /** Whole ms since 1970. */
  readonly keptUntil: number;
}

/** Keys of a space that begin with `prefix`, behind `after`; at most `limit`. */
export interface Range {
  readonly space: Space;
  readonly prefix: string;
  readonly after: string | undefined;
  readonly limit: number;
}
