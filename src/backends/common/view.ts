import type { Key } from "../../base/keys.ts";
import type { Condition, Guard, ListedRecord, Operation, Payload, Stamp, Ttl } from "../../port/index.ts";
import type { LockRecord } from "./lock-rules.ts";

/**
 * Records, fence floors and locks at one instant, and what becomes of them: what `decide` needs of a backend.
 * Synchronous. Three kinds serve it: tables in reach (of this process, or of a transaction), a snapshot of cells that
 * is committed if nothing has changed, and rows that an SQL transaction has locked.
 *
 * A key is what the backend finds something by (`K`), and `W` is what a `set` carries beside its key: so a backend that
 * has groups encoded need not decode what it only stores. `R` is a record as the view has it, `L` a lock.
 */
export interface View<K = Key, W = Written, R = unknown, L extends LockRecord = LockRecord> {
  /** The clock that ends records, in ms since 1970. */
  readonly wall: number;
  /** The clock that ends leases, claims and marks, in ms. */
  readonly now: number;
  /**
   * Whether each acquire that waits renews its claim. Without it a claim of which {@link wholeClaim} is left stays as
   * it is: for views whose writes compete with each other, since waiters who ask in a hurry would starve a release.
   */
  readonly renewsClaims: boolean;
  /** A part of a claim. Default: nine tenths. */
  readonly wholeClaim?: number | undefined;

  /** The record, if it has not expired. Good until the view is asked for another one. */
  find(key: K): R | undefined;
  /** Its version. */
  idOf(found: R): string;
  /** When it ends by {@link wall}; Infinity for never. */
  endOf(found: R): number;
  /** The record that was found under `key`, if each of its stamps is the version of a record that has not expired. */
  current(key: K, found: R): R | undefined;
  /** The record that was found under `key`, as a caller may have it. */
  show(key: K, found: R, as?: Shown): ListedRecord;
  /** Writes a record that ends at `end`; what was there goes, with its stamps. */
  put(op: SetOn<K, W>, end: number): void;
  /** Gives the record under `key`, which has not expired, another end. */
  touch(key: K, end: number): void;
  /** Removes the record, also one that has expired, if there is one. With `isThere` it was found, not expired. */
  remove(key: K, isThere: boolean): void;

  /** The highest fence that was seen beside the record and is still kept. */
  floor(key: K): Fence | undefined;
  /**
   * Remembers a fence, which is not below {@link floor}, for `keepMs` from now, or for as long as the one before was to
   * be kept.
   */
  raiseFloor(key: K, fence: Fence, keepMs: number): void;

  /** The lock, or an empty one: to be changed in place, and kept by {@link saveLock} alone. */
  lock(key: K): L;
  /**
   * No grant of `lock` may be below: microseconds of the wall clock, and what is known of a lock that was forgotten.
   */
  leastGrant(lock: L): number;
  /** Passes the lock on (`handOff`), has those told who were granted it, and keeps it. */
  saveLock(key: K, lock: L): void;
}

/** How a record is shown: the parts of a `get` that say so. */
export interface Shown {
  readonly keyOnly?: boolean | undefined;
  readonly stamped?: boolean | "show" | undefined;
}

/** A fence; one is below another as a pair. */
export interface Fence {
  readonly grant: number;
  readonly n: number;
}

/** What a `set` of the port carries. */
export interface Written {
  readonly id: string;
  readonly value: Payload;
  readonly stamps?: readonly Stamp[] | undefined;
}

/** What names a key or a lock, named by a `K`. */
export type On<Op, K> = Op extends { readonly lock: Key }
  ? Omit<Op, "lock"> & { readonly lock: K }
  : Op extends { readonly key: Key }
    ? Omit<Op, "key"> & { readonly key: K }
    : never;

/** A `set` of a view's own kind. */
export type SetOn<K, W> = {
  readonly op: "set";
  readonly key: K;
  readonly if?: Condition | undefined;
  readonly ttl?: Ttl | undefined;
} & W;

/** An operation of a view's own kind: with `Key` and {@link Written} it is one of the port. */
export type OperationOn<K, W> = On<Exclude<Operation, { op: "set" }>, K> | SetOn<K, W>;

/** A group of a view's own kind. */
export interface GroupOn<K, W> {
  readonly guards?: readonly On<Guard, K>[] | undefined;
  readonly ops: readonly OperationOn<K, W>[];
}
