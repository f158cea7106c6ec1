import type { ListedRecord } from "../../port/index.ts";
import type { Fence, Shown } from "../common/view.ts";
import { readLock, type StoredLock } from "./lock-table.ts";
import type { Tables } from "./tables.ts";

/** What `decide` may ask of the tables, in either thread. */
export abstract class TablesView<K, T extends Tables<K>> {
  readonly renewsClaims = true;
  readonly tables: T;
  /** Of the boot: leases of another one are over. */
  readonly epoch: number;

  constructor(tables: T, epoch: number) {
    this.tables = tables;
    this.epoch = epoch;
  }

  /** Wall time, for records. */
  abstract readonly wall: number;
  /** The lease clock. */
  abstract readonly now: number;

  find(key: K): unknown {
    return this.tables.find(key, this.wall);
  }

  idOf(found: unknown): string {
    return this.tables.idOf(found);
  }

  endOf(found: unknown): number {
    return this.tables.endOf(found);
  }

  current(key: K, found: unknown): unknown {
    return this.tables.current(key, found, this.wall);
  }

  show(key: K, found: unknown, as?: Shown): ListedRecord {
    return this.tables.show(key, found, as);
  }

  floor(key: K): Fence | undefined {
    return this.tables.floor(key, this.wall);
  }

  lock(key: K): StoredLock {
    return readLock(this.tables.lock(key), this.epoch, this.now);
  }
}
