import { keyId, type Key } from "../../base/keys.ts";
import type { ListedRecord, StoredRecord } from "../../port/index.ts";
import type { Fence, SetOn, Shown } from "../common/view.ts";
import { expiryOf, idOf, isExpired, readRecord, setExpiry, stampsOf, withExpiry } from "../machine/record.ts";
import type { KeyRange, Listed, Log, Meta, ReadableTables, Swept, Tables, WritableTables } from "../machine/tables.ts";
import type { WiredKey, WiredRecord } from "../machine/wire.ts";
import type { Databases } from "./databases.ts";
import type { LmdbKey, LmdbStore } from "./driver.ts";
import { due, index, sweepMoment } from "./expiry-index.ts";
import { readFloor, sweepFloor, writeFloor } from "./floors.ts";
import { LmdbLog, LmdbMeta, pastText, textUnder } from "./texts.ts";

/** What both threads read. */
abstract class LmdbTables<K> implements Tables<K, Uint8Array> {
  readonly meta: Meta;
  readonly log: Log;
  protected readonly databases: Databases;
  readonly #records: LmdbStore;

  constructor(databases: Databases) {
    this.databases = databases;
    this.#records = databases.records;
    this.meta = new LmdbMeta(databases.meta);
    this.log = new LmdbLog(databases.log);
  }

  /** What the key is stored under. */
  protected abstract place(key: K): LmdbKey;
  /** The key as its caller gave it. */
  protected abstract nameOf(key: K): string;

  find(key: K, wall: number): Uint8Array | undefined {
    const bytes = this.#records.getBinaryFast(this.place(key));
    return bytes === undefined || isExpired(bytes, wall) ? undefined : bytes;
  }

  idOf(bytes: Uint8Array): string {
    return idOf(bytes);
  }

  endOf(bytes: Uint8Array): number {
    return expiryOf(bytes) || Infinity;
  }

  current(key: K, found: Uint8Array, wall: number): Uint8Array | undefined {
    for (const stamp of stampsOf(found)) {
      const bytes = this.#records.getBinaryFast(stamp.key);
      if (bytes === undefined || isExpired(bytes, wall) || idOf(bytes) !== stamp.id) return undefined;
    }
    return this.find(key, wall);
  }

  show(key: K, found: Uint8Array, as?: Shown): ListedRecord {
    const record = readRecord(this.nameOf(key), found, this.#records.lastSize, as?.keyOnly);
    return as?.stamped === "show" ? withStamps(record, found) : record;
  }

  floor(key: K, wall: number): Fence | undefined {
    return readFloor(this.databases.floors, this.place(key), wall);
  }

  lock(key: K): string | undefined {
    return textUnder(this.databases.locks, this.place(key));
  }
}

/**
 * In the caller's thread. A snapshot is reused until it is reset, and one that stays open keeps the file from reusing
 * space: so it is reset before and after.
 */
export class ReadTables extends LmdbTables<Key> implements ReadableTables<Uint8Array> {
  begin(): void {
    this.databases.root.resetReadTxn();
  }

  end(): void {
    this.databases.root.resetReadTxn();
  }

  list(range: KeyRange, wall: number, values: boolean): Listed {
    const ids = idsOf(this.databases.records, range);
    const records = ids.flatMap((id): ListedRecord[] => {
      const bytes = this.databases.records.getBinaryFast(id);
      if (bytes === undefined || isExpired(bytes, wall)) return [];
      const { lastSize } = this.databases.records;
      return [withStamps(readRecord(id.slice(range.space.length), bytes, lastSize, !values), bytes)];
    });
    return { records, last: ids.length < range.limit ? undefined : ids.at(-1)?.slice(range.space.length) };
  }

  lockKeys(range: KeyRange): readonly string[] {
    return idsOf(this.databases.locks, range).map((id) => id.slice(range.space.length));
  }

  isBusy(): boolean {
    return false;
  }

  due(wall: number, limit: number): number {
    return due(this.databases.expiry, wall, limit).length;
  }

  close(): Promise<void> {
    return this.databases.root.close();
  }

  protected place(key: Key): string {
    return keyId(key);
  }

  protected nameOf({ key }: Key): string {
    return key;
  }
}

/** In the commit thread, within a transaction. */
export class WriteTables extends LmdbTables<WiredKey> implements WritableTables<Uint8Array> {
  put({ key, record, ttl }: SetOn<WiredKey, WiredRecord>, end: number, wall: number): void {
    if (ttl !== undefined) setExpiry(record, stored(end));
    // With "keep" the entry of the write that set the end is still in the index.
    if (ttl !== undefined && ttl !== "keep") this.#index(key, end, wall);
    this.databases.records.put(key.bytes, record);
  }

  touch(key: WiredKey, end: number, wall: number): void {
    const { records } = this.databases;
    const bytes = records.getBinaryFast(key.bytes) as Uint8Array;
    const record = withExpiry(bytes, records.lastSize, stored(end));
    this.#index(key, end, wall);
    records.put(key.bytes, record);
  }

  remove({ bytes }: WiredKey, isThere: boolean): boolean {
    const { records } = this.databases;
    if (!isThere && !records.getBinaryFast(bytes)) return false;
    records.remove(bytes);
    return true;
  }

  raiseFloor({ bytes }: WiredKey, fence: Fence, keepMs: number, wall: number): void {
    writeFloor(this.databases, bytes, fence, keepMs, wall);
  }

  putLock({ bytes }: WiredKey, text: string, sweepAt: number | undefined): void {
    if (sweepAt !== undefined) index(this.databases.expiry, sweepAt, "lock", bytes);
    this.databases.locks.put(bytes, Buffer.from(text));
  }

  removeLock({ bytes }: WiredKey): void {
    this.databases.locks.remove(bytes);
  }

  sweep(wall: number, limit: number, on: Swept): number {
    const { records, expiry } = this.databases;
    const entries = due(expiry, wall, limit);
    for (const { raw, at, kind, key } of entries) {
      if (kind === "lock") on.lock(key.toString(), at);
      else if (kind === "floor") sweepFloor(this.databases, key, at, wall);
      else {
        const bytes = records.getBinaryFast(key);
        if (bytes && isExpired(bytes, wall)) {
          records.remove(key);
          on.record(key);
        }
      }
      expiry.remove(raw);
    }
    return entries.length;
  }

  /** How large a record is, in bytes. */
  sizeOf({ bytes }: WiredKey): number {
    const { records } = this.databases;
    return records.getBinaryFast(bytes) ? records.lastSize : 0;
  }

  /** Has the record looked at when it ends. */
  #index({ bytes }: WiredKey, end: number, wall: number): void {
    if (end < Infinity) index(this.databases.expiry, sweepMoment(end, end - wall), "record", bytes);
  }

  protected place({ bytes }: WiredKey): Buffer {
    return bytes;
  }

  protected nameOf({ bytes, space }: WiredKey): string {
    return bytes.toString("utf8", space);
  }
}

/** How the end of a record is stored: 0 for never, and what is to have expired is no 0. */
function stored(end: number): number {
  return end === Infinity ? 0 : Math.max(end, 1);
}

function withStamps(record: StoredRecord, bytes: Uint8Array): ListedRecord {
  const stamps = stampsOf(bytes);
  return stamps.length === 0 ? record : { ...record, stamps };
}

/** The ids of keys in a range, in the order of their bytes. */
function idsOf(store: LmdbStore, { space, prefix, after, limit }: KeyRange): readonly string[] {
  const first = Buffer.from(space + prefix);
  // Behind a key come only longer ones: its bytes and a zero are where the next one may start.
  const start = after === undefined ? first : Buffer.from(`${space}${after}\0`);
  return Array.from(store.getKeys({ start, end: Buffer.concat([first, pastText]), limit }), (key) => key.toString());
}
