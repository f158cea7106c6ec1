import type { StoredRecord } from "../port/index.ts";

/** The id of one write of one entry. Compare for equality only. Never used again, not even after a delete. */
export type Version = string;

/** A value as it was stored at some moment, with the version by which a write can make sure that it has not changed. */
export class Entry<T> {
  /** The caller's key. */
  readonly key: string;
  /** The value: a copy of the caller's own. */
  readonly value: T;
  /** The version of the write that it comes from. */
  readonly version: Version;
  /** When it expires, in milliseconds since 1970 by the store's clock. Absent if it does not expire. */
  declare readonly expiresAt?: number;

  /** @internal */
  constructor(key: string, value: T, version: Version, expiresAt: number | undefined) {
    this.key = key;
    this.value = value;
    this.version = version;
    if (expiresAt !== undefined) (this as { expiresAt?: number }).expiresAt = expiresAt;
  }

  /** A plain object of the same fields. */
  toJSON(): { key: string; value: T; version: Version; expiresAt?: number } {
    const { key, value, version, expiresAt } = this;
    return expiresAt === undefined ? { key, value, version } : { key, value, version, expiresAt };
  }
}

/**
 * An event of a watch: the latest state of a key that was written, that a key is gone, or that changes may have been
 * missed.
 */
export type Change<T> =
  | { readonly type: "save"; readonly entry: Entry<T> }
  | { readonly type: "delete"; readonly key: string }
  | { readonly type: "gap" };

/** An entry of a stored record. */
export function entryOf<T>(record: StoredRecord, value: T): Entry<T> {
  return new Entry(record.key, value, record.id, record.expiresAt);
}
