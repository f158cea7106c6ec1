import type { Key } from "../../base/keys.ts";
import type { Bus } from "../common/bus.ts";
import type { DueQueue, Scheduled } from "../common/due-queue.ts";
import * as rules from "../common/lock-rules.ts";
import type { Instant } from "./instant.ts";
import { Table, type Placed, type Rows } from "./table.ts";

/** How long a lock that nobody uses is remembered, in ms. */
const keepIdleMs = 60_000;

/** What is remembered of a lock; its times are of the monotonic clock. */
export interface LockRecord extends rules.LockRecord, Placed, Scheduled {
  seq: number;
  /** Where it is kept; undefined for one that never was. */
  rows: Rows<LockRecord> | undefined;
  readonly address: Key;
  usedAt: number;
}

/** The locks of a server. */
export class Locks {
  readonly table = new Table<LockRecord>();
  readonly #instant: Instant;
  readonly #bus: Bus;
  readonly #queue: DueQueue<LockRecord>;
  /** Above every grant of a lock that was forgotten. */
  #grantFloor = 0;

  constructor(instant: Instant, bus: Bus, queue: DueQueue<LockRecord>) {
    this.#instant = instant;
    this.#bus = bus;
    this.#queue = queue;
  }

  /** The lock of that key, or one that {@link save} adds. */
  find(address: Key): LockRecord {
    const lock = this.table.get(address);
    if (lock !== undefined) return lock;
    const { grant, holds, queue, marks } = rules.emptyLock();
    const { key } = address;
    return { grant, holds, queue, marks, key, seq: 0, rows: undefined, address, usedAt: 0, queuedAt: Infinity };
  }

  leastGrant(): number {
    return Math.max(this.#grantFloor, Math.floor(this.#instant.wall * 1_000));
  }

  /** Passes the lock on to those at the head of the queue whom nobody excludes, and keeps it. */
  save(lock: LockRecord): void {
    const now = (lock.usedAt = this.#instant.monotonic);
    if (lock.rows === undefined) this.#add(lock);
    if (lock.queue.length === 0) return;
    for (const { owner, session, grant } of rules.handOff(lock, now, this.leastGrant())) {
      this.#bus.granted(session, lock.address, owner, grant);
    }
    if (lock.queue.length > 0) this.#queue.schedule(lock, rules.nextTurn(lock));
  }

  /** Called when a lease or a waiter may have ended, or when a lock may have been idle for long. */
  visit(lock: LockRecord, now: number): void {
    rules.reap(lock, now);
    if (lock.queue.length > 0) this.save(lock);
    if (lock.queue.length > 0) return;
    const until = Math.max(lock.usedAt + keepIdleMs, rules.endOf(lock));
    if (until > now) {
      this.#queue.schedule(lock, until);
    } else if (lock.rows !== undefined) {
      this.raiseGrants(lock.grant + 1);
      this.table.remove(lock.rows, lock.key);
    }
  }

  raiseGrants(floor: number): void {
    this.#grantFloor = Math.max(this.#grantFloor, floor);
  }

  /** Above every grant there was, if no lock is held, waited for or marked; else undefined. */
  idleFloor(): number | undefined {
    let floor = this.#grantFloor;
    for (const lock of this.table.items()) {
      if (rules.endOf(lock) > this.#instant.monotonic) return undefined;
      floor = Math.max(floor, lock.grant + 1);
    }
    return floor;
  }

  /** Whether anybody holds the lock or waits for it. */
  isInUse(lock: LockRecord): boolean {
    rules.reap(lock, this.#instant.monotonic);
    if (rules.passes(lock)) this.save(lock);
    return lock.holds.length > 0 || lock.queue.length > 0;
  }

  #add(lock: LockRecord): void {
    const rows = this.table.rows(lock.address.space);
    lock.rows = rows;
    lock.seq = rows.nextSeq++;
    rows.items.set(lock.key, lock);
    this.#queue.schedule(lock, lock.usedAt + keepIdleMs);
  }
}
