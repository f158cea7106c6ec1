import type { Key } from "../base/keys.ts";

/** What a codec made of a value. Comes back as the same type, with the same content. */
export type Payload = string | Uint8Array;

/** A stored record, as read. */
export interface StoredRecord {
  readonly key: string;
  /** The id that the writer drew: the version. Any string of at most 64 bytes. */
  readonly id: string;
  readonly value: Payload;
  /** Milliseconds since 1970 by the server's clock; absent for a record that does not expire. */
  readonly expiresAt?: number | undefined;
}

/**
 * A record of a page, or of a `get` with `stamped: "show"`, with the stamps that it was written with. Those of a page
 * need not be current.
 */
export interface ListedRecord extends StoredRecord {
  /** By `keyId` of their keys. Absent for none. */
  readonly stamps?: readonly { readonly key: string; readonly id: string }[] | undefined;
}

/**
 * When a record ends: so many ms from the instant the group takes effect; `"keep"`, what remains of the record that is
 * there, which is for ever where there is none; or `at`, milliseconds since 1970 by the server's clock, where one that
 * is past writes a record that has expired. Absent: never.
 */
export type Ttl = number | "keep" | { readonly at: number };

/** What a record must be for a group to take effect. An expired record is absent. */
export type Condition = { readonly absent: true } | { readonly id: string };

/** The version of a tag (or of a cache as a whole) that a cache entry was made under. */
export interface Stamp {
  readonly key: Key;
  readonly id: string;
}

/**
 * All or nothing: first every guard and condition is checked, then every operation takes effect, as one atomic step.
 */
export interface Group {
  readonly guards?: readonly Guard[] | undefined;
  /**
   * No key twice, except a `check`, a `get` and a `floor` of a key beside one write of it. Reads see the state before
   * the group; a floor is beside the record, so neither is in the other's way.
   */
  readonly ops: readonly Operation[];
}

/**
 * The lease on `lock` must be held by `owner` under `grant`, unexpired, at the instant the group takes effect. The
 * check must lock or write the lease's row or be in the same script: reading it beside is not enough.
 */
export interface Guard {
  readonly lock: Key;
  readonly owner: string;
  readonly grant: number;
}

export type Operation = RecordOperation | LockOperation;

/** Operations on records. */
export type RecordOperation =
  /**
   * The record, or `undefined`. With `stamped`, a record one of whose stamps is not current (other id, or missing) is
   * absent; with `"show"` the record comes with its stamps. With `keyOnly` its value is `""`: it does not travel.
   */
  | {
      readonly op: "get";
      readonly key: Key;
      readonly stamped?: boolean | "show" | undefined;
      readonly keyOnly?: boolean | undefined;
    }
  /** The condition alone; fails the group with `conflict`. */
  | { readonly op: "check"; readonly key: Key; readonly if: Condition }
  /** Writes `value` under the version `id`. Its stamps are the given ones alone. */
  | {
      readonly op: "set";
      readonly key: Key;
      readonly id: string;
      readonly value: Payload;
      readonly if?: Condition | undefined;
      readonly ttl?: Ttl | undefined;
      readonly stamps?: readonly Stamp[] | undefined;
    }
  /**
   * Gives the record another end; its value, version and stamps stay. The result is whether it was there. Without `if`
   * a missing record is no failure. With `stamped`, one whose stamps are not current is not there, and stays as it is.
   * Watchers may be told.
   */
  | {
      readonly op: "touch";
      readonly key: Key;
      readonly if?: Condition | undefined;
      readonly ttl?: Exclude<Ttl, "keep"> | undefined;
      readonly stamped?: boolean | undefined;
    }
  /** Removes the record. The result is whether it was there. Without `if` a missing record is no failure. */
  | { readonly op: "delete"; readonly key: Key; readonly if?: Condition | undefined }
  /**
   * Beside the record of `key`, untouched by its writes, deletes and expiry, is the highest fence (grant, n) it has
   * seen, compared as a pair. A lower one fails the group with `fenced`; a higher one is remembered. Kept for `keepMs`
   * from its last call.
   */
  | { readonly op: "floor"; readonly key: Key; readonly grant: number; readonly n: number; readonly keepMs: number };

/** Who may hold together: an exclusive holder alone; shared ones among themselves, up to `limit` of them. */
export type LockMode = "exclusive" | "shared";

/** Operations on locks. All times are the server's. */
export type LockOperation =
  /**
   * Grants the lock to `owner` for `ttl` ms if nobody who excludes it holds it and nobody who waits is before it:
   * `grant = max(stored + 1, floor, server microseconds)`. An owner that holds it already has its ttl armed anew, under
   * the same grant. Otherwise the group fails with `held`; with `wait`, the owner is then in the queue (at its old
   * place if it was), for `claimMs` from now. An owner with a mark is refused with `fenced`. `wait` is allowed only on
   * the only operation of a group.
   */
  | {
      readonly op: "acquire";
      readonly lock: Key;
      readonly owner: string;
      readonly mode: LockMode;
      readonly limit?: number | undefined;
      readonly ttl: number;
      readonly wait?: { readonly claimMs: number } | undefined;
      readonly info: string;
    }
  /**
   * Arms the ttl of a held lease anew; `fenced` if it is not held under `grant`. With `raise`, the lease's grant
   * becomes max(grant, raise).
   */
  | {
      readonly op: "extend";
      readonly lock: Key;
      readonly owner: string;
      readonly grant: number;
      readonly ttl: number;
      readonly raise?: number | undefined;
    }
  /**
   * Ends the owner's hold and its place in the queue; the result is whether it held the lock. The first in the queue is
   * then granted the lock for its `claimMs` and told (see Signals). With `markMs`, the owner cannot acquire the lock
   * for that long.
   */
  | { readonly op: "release"; readonly lock: Key; readonly owner: string; readonly markMs?: number | undefined }
  /**
   * Ends every hold, or that of `owner` alone, raises the grant above them, and passes the lock on as a release does.
   * The result is the state before. An `owner` that does not hold the lock changes nothing.
   */
  | { readonly op: "steal"; readonly lock: Key; readonly owner?: string | undefined }
  /** The state. */
  | { readonly op: "inspect"; readonly lock: Key };

/** One hold of a lock. */
export interface Holding {
  readonly owner: string;
  readonly mode: LockMode;
  readonly grant: number;
  readonly info: string;
  readonly remainingMs: number;
}

/** What is known of a lock: live holders, live waiters. */
export interface LockState {
  readonly holders: readonly Holding[];
  readonly waiting: number;
}

/** The result of `acquire` and `extend`. A grant is an integer below 2^53. */
export interface Granted {
  readonly grant: number;
}

/** What an operation gives: by its `op`. `check`, `set` and `floor` give `undefined`. */
export type Result = StoredRecord | ListedRecord | undefined | boolean | Granted | LockState;

/** What became of a group. `at` is the operation's index; -1 - i for guard i. A group that failed changed nothing. */
export type Outcome =
  | { readonly ok: true; readonly results: readonly Result[] }
  /**
   * A condition did not hold; `current` is the record as it is, so that an update needs no read before its next try.
   */
  | { readonly ok: false; readonly why: "conflict"; readonly at: number; readonly current: StoredRecord | undefined }
  /** A guard, a floor, an `extend` or a marked `acquire` was refused. */
  | { readonly ok: false; readonly why: "fenced"; readonly at: number }
  /** An `acquire` was not granted; the state tells when to ask again. `ahead` waiters come before this owner. */
  | { readonly ok: false; readonly why: "held"; readonly at: number; readonly state: LockState; readonly ahead: number }
  /** The group's fate: `sent: false` did not take effect and never will; `sent: true` is unknown. */
  | { readonly ok: false; readonly why: "failed"; readonly sent: boolean; readonly error: Error };
