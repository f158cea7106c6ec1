import type { Key } from "../../base/keys.ts";
import type { ListedRecord } from "../../port/index.ts";
import type { Fence, SetOn, Shown, View, Written } from "../common/view.ts";
import type { Floor, Floors } from "./floors.ts";
import type { Instant } from "./instant.ts";
import type { LockRecord, Locks } from "./locks.ts";
import { show, type Records, type Slot } from "./records.ts";

/** The tables of a server as of its present instant. */
export class MemoryView implements View<Key, Written, Slot, LockRecord> {
  readonly renewsClaims = true;
  readonly #instant: Instant;
  readonly #records: Records;
  readonly #floors: Floors;
  readonly #locks: Locks;

  constructor(instant: Instant, records: Records, floors: Floors, locks: Locks) {
    this.#instant = instant;
    this.#records = records;
    this.#floors = floors;
    this.#locks = locks;
  }

  get wall(): number {
    return this.#instant.wall;
  }

  get now(): number {
    return this.#instant.monotonic;
  }

  find(key: Key): Slot | undefined {
    return this.#records.find(key);
  }

  idOf({ record }: Slot): string {
    return record.id;
  }

  endOf({ until }: Slot): number {
    return until;
  }

  current(_: Key, slot: Slot): Slot | undefined {
    return this.#records.isCurrent(slot) ? slot : undefined;
  }

  show(_: Key, slot: Slot, as?: Shown): ListedRecord {
    return show(slot, as);
  }

  put(op: SetOn<Key, Written>, end: number): void {
    this.#records.put(op, end);
  }

  touch(key: Key, end: number): void {
    this.#records.touch(key, end);
  }

  remove(key: Key): void {
    this.#records.remove(key);
  }

  floor(key: Key): Floor | undefined {
    return this.#floors.find(key);
  }

  raiseFloor(key: Key, fence: Fence, keepMs: number): void {
    this.#floors.raise(key, fence, keepMs);
  }

  lock(key: Key): LockRecord {
    return this.#locks.find(key);
  }

  leastGrant(): number {
    return this.#locks.leastGrant();
  }

  saveLock(_: Key, lock: LockRecord): void {
    this.#locks.save(lock);
  }
}
