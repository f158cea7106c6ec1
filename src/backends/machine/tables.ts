import type { Key } from "../../base/keys.ts";
import type { ListedRecord } from "../../port/index.ts";
import type { Fence, SetOn, Shown } from "../common/view.ts";
import type { WiredKey, WiredRecord } from "./wire.ts";

/**
 * What is stored, as of one snapshot or within one transaction. A record (`R`) is good until the next one is asked for.
 * `wall` is ms since 1970.
 */
export interface Tables<K, R = unknown> {
  /** The record, if it has not expired. */
  find(key: K, wall: number): R | undefined;
  /** Its version. */
  idOf(found: R): string;
  /** When it ends; Infinity for never. */
  endOf(found: R): number;
  /** The record that was found under `key`, if each of its stamps is current. */
  current(key: K, found: R, wall: number): R | undefined;
  /** The record that was found under `key`, as a caller may have it. */
  show(key: K, found: R, as?: Shown): ListedRecord;
  /** The fence that is kept beside the record. */
  floor(key: K, wall: number): Fence | undefined;
  /** The text of a lock, as `putLock` was given it. */
  lock(key: K): string | undefined;
  readonly meta: Meta;
  readonly log: Log;
}

/** Names with a text each. */
export interface Meta {
  get(name: string): string | undefined;
  put(name: string, text: string): void;
  remove(name: string): void;
  /** What follows `prefix` in the names that start with it, at most `limit`. */
  suffixes(prefix: string, limit: number): string[];
}

/** Texts at positions, which are whole numbers. */
export interface Log {
  put(at: number, text: string): void;
  /** At most `limit` of them from `first` to `last`, in order. */
  read(first: number, last: number, limit: number): readonly LogRow[];
  /** Removes those before `first`, at most `limit`. */
  trim(first: number, limit: number): void;
}

export interface LogRow {
  readonly at: number;
  readonly text: string;
}

/** What the main thread reads from. */
export interface ReadableTables<R = unknown> extends Tables<Key, R> {
  /**
   * Begins a fresh snapshot, which {@link end} ends. With `single`, no more than one record, lock, floor or text is
   * asked for.
   */
  begin(single: boolean): void;
  end(): void;
  /** Records in the order of their keys' bytes, with their stamps; without `values`, each value is `""`. */
  list(range: KeyRange, wall: number, values: boolean): Listed;
  /** Keys of locks, in the order of their bytes. */
  lockKeys(range: KeyRange): readonly string[];
  /** How many things are to be looked at by `sweep`, at most `limit`. */
  due(wall: number, limit: number): number;
  /** Whether what failed so could not be read for a moment, for what another process does. */
  isBusy(error: unknown): boolean;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Which keys of a space: those with that prefix, behind `after`, at most `limit`. */
export interface KeyRange {
  /** A space's id. */
  readonly space: string;
  readonly prefix: string;
  readonly after: string | undefined;
  readonly limit: number;
}

/** Those that were looked at and have not expired. */
export interface Listed {
  readonly records: readonly ListedRecord[];
  /** The key to go on behind; undefined where there are no more. */
  readonly last: string | undefined;
}

/** What the commit thread writes to, within a transaction. */
export interface WritableTables<R = unknown> extends Tables<WiredKey, R> {
  /** Writes a record that ends at `end`, Infinity for never. */
  put(op: SetOn<WiredKey, WiredRecord>, end: number, wall: number): void;
  /** Gives a record, which was found, another end. */
  touch(key: WiredKey, end: number, wall: number): void;
  /** Removes a record, also one that has expired; whether there was one. With `isThere` it was found. */
  remove(key: WiredKey, isThere: boolean): boolean;
  /** Remembers a fence for `keepMs`, or for as long as the one before was to be kept. */
  raiseFloor(key: WiredKey, fence: Fence, keepMs: number, wall: number): void;
  /** Writes a lock. With `sweepAt` it is looked at by {@link sweep} then, and not when it was to be before. */
  putLock(key: WiredKey, text: string, sweepAt: number | undefined): void;
  removeLock(key: WiredKey): void;
  /** Removes what has expired, at most `limit` things, and tells of each; how many they were. */
  sweep(wall: number, limit: number, on: Swept): number;
}

/** What a sweep comes upon. */
export interface Swept {
  /** A record with that key id was removed. */
  record(id: Buffer): void;
  /** It is time to look at the lock with that key id, for which `at` was given. */
  lock(id: string, at: number): void;
}
