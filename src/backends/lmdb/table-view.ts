import type { ListedRecord } from "../../port/index.ts";
import type { Fence, Shown } from "../common/view.ts";
import type { LmdbKey, LmdbStore } from "./driver.ts";
import { readFloor } from "./floors.ts";
import { expiryOf, idOf, isExpired, readRecord, stampsOf } from "./layout.ts";
import { readLock, type StoredLock } from "./lock-table.ts";
import type { Tables } from "./tables.ts";

/** What `decide` may ask of the tables, in either thread: the bytes of a record are good until the next read. */
export abstract class TableView<K> {
  readonly renewsClaims = true;
  readonly tables: Tables;
  readonly epoch: number;
  readonly #records: LmdbStore;

  constructor(tables: Tables, epoch: number) {
    this.tables = tables;
    this.epoch = epoch;
    this.#records = tables.records;
  }

  /** Wall time, for records. */
  abstract readonly wall: number;
  /** The lease clock. */
  abstract readonly now: number;
  /** What the key is stored under. */
  protected abstract place(key: K): LmdbKey;
  /** The key as its caller gave it. */
  protected abstract nameOf(key: K): string;

  find(key: K): Uint8Array | undefined {
    const bytes = this.#records.getBinaryFast(this.place(key));
    return bytes === undefined || isExpired(bytes, this.wall) ? undefined : bytes;
  }

  idOf(bytes: Uint8Array): string {
    return idOf(bytes);
  }

  endOf(bytes: Uint8Array): number {
    return expiryOf(bytes) || Infinity;
  }

  current(key: K, found: Uint8Array): Uint8Array | undefined {
    for (const stamp of stampsOf(found)) {
      const bytes = this.#records.getBinaryFast(stamp.key);
      if (bytes === undefined || isExpired(bytes, this.wall) || idOf(bytes) !== stamp.id) return undefined;
    }
    return this.find(key);
  }

  show(key: K, found: Uint8Array, as?: Shown): ListedRecord {
    const record = readRecord(this.nameOf(key), found, this.#records.lastSize, as?.keyOnly);
    if (as?.stamped !== "show") return record;
    const stamps = stampsOf(found);
    return stamps.length === 0 ? record : { ...record, stamps };
  }

  floor(key: K): Fence | undefined {
    return readFloor(this.tables.floors, this.place(key), this.wall);
  }

  lock(key: K): StoredLock {
    return readLock(this.tables.locks, this.place(key), this.epoch, this.now);
  }
}
