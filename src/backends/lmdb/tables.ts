import { keyId, type Key } from "../../base/keys.ts";
import type { ListedRecord } from "../../port/index.ts";
import type { Fence, SetOn, Shown } from "../common/view.ts";
import { expiryOf, idOf, isExpired, readRecord, setExpiry, stampsOf, textOf, withExpiry } from "../machine/record.ts";
import type { KeyRange, Log, LogRow, Meta, ReadableTables, Swept, Tables, WritableTables } from "../machine/tables.ts";
import type { WiredKey, WiredRecord } from "../machine/wire.ts";
import type { Databases } from "./databases.ts";
import type { LmdbKey, LmdbStore } from "./driver.ts";
import { due, index, sweepMoment } from "./expiry-index.ts";
import { readFloor, sweepFloor, writeFloor } from "./floors.ts";

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
    if (as?.stamped !== "show") return record;
    const stamps = stampsOf(found);
    return stamps.length === 0 ? record : { ...record, stamps };
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

  keys(of: "records" | "locks", { space, prefix, after, limit }: KeyRange): readonly string[] {
    const first = Buffer.from(space + prefix);
    // Behind a key come only longer ones: its bytes and a zero are where the next one may start.
    const start = after === undefined ? first : Buffer.from(`${space}${after}\0`);
    const end = Buffer.concat([first, pastText]);
    const keys = this.databases[of].getKeys({ start, end, limit });
    return Array.from(keys, (key) => key.toString().slice(space.length));
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

/** No UTF-8 text holds the byte 255, so this behind a prefix is behind every key with it. */
const pastText = Buffer.from([255]);

function textUnder(store: LmdbStore, key: LmdbKey): string | undefined {
  const bytes = store.getBinaryFast(key);
  return bytes && textOf(bytes, store.lastSize);
}

class LmdbMeta implements Meta {
  readonly #store: LmdbStore;

  constructor(store: LmdbStore) {
    this.#store = store;
  }

  get(name: string): string | undefined {
    return textUnder(this.#store, name);
  }

  put(name: string, text: string): void {
    this.#store.put(name, Buffer.from(text));
  }

  remove(name: string): void {
    this.#store.remove(name);
  }

  suffixes(prefix: string, limit: number): string[] {
    const start = Buffer.from(prefix);
    const range = { start, end: Buffer.concat([start, pastText]), limit };
    return Array.from(this.#store.getKeys(range), (key) => key.toString("utf8", start.length));
  }
}

class LmdbLog implements Log {
  readonly #store: LmdbStore;

  constructor(store: LmdbStore) {
    this.#store = store;
  }

  put(at: number, text: string): void {
    this.#store.put(position(at), Buffer.from(text));
  }

  read(first: number, last: number, limit: number): readonly LogRow[] {
    const keys = [...this.#store.getKeys({ start: position(first), end: position(last + 1), limit })];
    return keys.flatMap((key) => {
      const text = textUnder(this.#store, key);
      return text === undefined ? [] : [{ at: key.readUIntBE(2, 6), text }];
    });
  }

  trim(first: number, limit: number): void {
    for (const key of [...this.#store.getKeys({ start: position(0), end: position(first), limit })]) {
      this.#store.remove(key);
    }
  }
}

function position(at: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUIntBE(at, 2, 6);
  return bytes;
}
