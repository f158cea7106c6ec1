import type { Key } from "../base/keys.ts";
import type { Operation, StoredRecord, Ttl } from "../port/index.ts";
import type { StoreCore } from "./core.ts";
import { Entry } from "./entry.ts";
import type { Encoded } from "./values.ts";

/** A write that a transaction holds back. `null` deletes. */
export type Write = (Encoded & { readonly ttl: Ttl | undefined }) | null;

/** What a transaction knows of one key: the record, if it was read, and the change to make. */
export class Item<T> {
  readonly core: StoreCore<T>;
  readonly key: Key;
  /** Whether the record was read. It is then checked at the commit, also if there was none. */
  read = false;
  record: StoredRecord | undefined;
  write: Write | undefined;
  /** Counts the writes, so that an update notices one that came between. */
  revision = 0;
  /** A read under way. */
  reading: Promise<void> | undefined;
  /** The last write whose value an asynchronous schema still checks. */
  writing: Promise<void> | undefined;

  constructor(core: StoreCore<T>, key: Key) {
    this.core = core;
    this.key = key;
  }

  /** Notes the record that was read, or that there is none. */
  found(record: StoredRecord | undefined): void {
    this.read = true;
    this.record = record;
  }

  /** Whether there is an entry, as the transaction sees it. */
  get exists(): boolean {
    return this.write === undefined ? this.record !== undefined : this.write !== null;
  }

  /** The value as the transaction sees it, as a copy. */
  value(): T | undefined | Promise<T> {
    const { write, record } = this;
    // A touched entry was not encoded here.
    if (write && write.id !== record?.id) return this.core.values.reopen(write.payload, this.key.key);
    return write === null || !record ? undefined : this.core.values.decode(record);
  }

  /** The entry as the transaction sees it. */
  entry(value: T): Entry<T> {
    const { write, record, core } = this;
    const id = write ? write.id : (record as StoredRecord).id;
    const ttl = write ? write.ttl : "keep";
    return new Entry(this.key.key, value, id, ttl === "keep" ? record?.expiresAt : core.expiry(ttl));
  }

  /** The default ttl of a value that is written now: what remains of the value that it replaces. */
  get remainder(): Ttl | undefined {
    if (this.write) return this.write.ttl;
    return this.write === undefined && this.record ? "keep" : this.core.ttl;
  }

  /** The operation of the commit for this key; `undefined` if the key was only named. */
  operation(): Operation | undefined {
    const { key, write, record, read } = this;
    const seen = !read ? undefined : record ? { id: record.id } : ({ absent: true } as const);
    if (write && write.id === record?.id && write.ttl !== "keep") return { op: "touch", key, if: seen, ttl: write.ttl };
    if (write) return this.core.set(key, write, seen, write.ttl);
    if (write === undefined || (read && !record)) return seen && { op: "check", key, if: seen };
    return { op: "delete", key, if: seen };
  }
}
