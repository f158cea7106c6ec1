import type { Key } from "../../base/keys.ts";
import type { Granted, Guard, LockState, Operation, Outcome } from "../../port/index.ts";
import * as rules from "../common/lock-rules.ts";
import type { Bus } from "./bus.ts";
import type { Due, DueQueue } from "./due-queue.ts";
import type { Instant } from "./instant.ts";
import { Table, type Placed, type Rows } from "./table.ts";

type Op<Name extends Operation["op"]> = Extract<Operation, { op: Name }>;

/** How long a lock that nobody uses is remembered, in ms. */
const keepIdleMs = 60_000;

/** What is remembered of a lock; its times are of the monotonic clock. */
export interface LockRecord extends rules.LockRecord, Placed, Due {
  readonly rows: Rows<LockRecord>;
  readonly address: Key;
  usedAt: number;
}

/** The locks of a server. */
export class Locks {
  readonly table = new Table<LockRecord>();
  readonly #instant: Instant;
  readonly #bus: Bus;
  readonly #queue: DueQueue<LockRecord>;
  /** Above every grant of a lock record that was swept. */
  #grantFloor = 0;

  constructor(instant: Instant, bus: Bus, queue: DueQueue<LockRecord>) {
    this.#instant = instant;
    this.#bus = bus;
    this.#queue = queue;
  }

  /** Whether the lease that `guard` names is held. */
  guards(guard: Guard): boolean {
    return this.#held(this.table.get(guard.lock), guard) !== undefined;
  }

  /** Why `op` is not granted, after queueing an owner that waits; `undefined` if it can be. */
  refuseAcquire(op: Op<"acquire">, at: number, session: string): Outcome | undefined {
    const lock = this.table.get(op.lock);
    if (lock === undefined) return undefined;
    const now = this.#instant.monotonic;
    this.#settle(lock, now);
    const verdict = rules.judge(lock, op);
    if (verdict === "granted") return undefined;
    if (verdict === "fenced") return { ok: false, why: "fenced", at };
    if (op.wait) {
      rules.enqueue(lock, op, session, op.wait.claimMs, now);
      this.#awaken(lock);
    }
    return { ok: false, why: "held", at, state: rules.stateOf(lock, now), ahead: rules.aheadOf(lock, op.owner) };
  }

  /** Grants what {@link refuseAcquire} did not refuse. */
  acquire(op: Op<"acquire">): Granted {
    const lock = this.table.get(op.lock) ?? this.#demand(op.lock);
    const now = (lock.usedAt = this.#instant.monotonic);
    const grant = rules.give(lock, op, now, this.#leastGrant());
    // It may have left the queue, and others of its kind may come in beside it.
    if (lock.queue.length > 0) this.#settle(lock, now);
    return { grant };
  }

  /** Whether the lease of `op` is held. */
  canExtend(op: Op<"extend">): boolean {
    return this.#held(this.table.get(op.lock), op) !== undefined;
  }

  /** Extends what {@link canExtend} allowed. */
  extend(op: Op<"extend">): Granted {
    const lock = this.table.get(op.lock) as LockRecord;
    const hold = rules.holdOf(lock, op.owner, op.grant) as rules.Hold;
    lock.usedAt = this.#instant.monotonic;
    return { grant: rules.extend(lock, hold, lock.usedAt, op.ttl, op.raise) };
  }

  /** Whether the owner held the lock. */
  release(op: Op<"release">): boolean {
    const lock = this.table.get(op.lock) ?? (op.markMs === undefined ? undefined : this.#demand(op.lock));
    if (lock === undefined) return false;
    const now = (lock.usedAt = this.#instant.monotonic);
    rules.reap(lock, now);
    const held = rules.release(lock, op.owner, now, op.markMs);
    if (lock.queue.length > 0) this.#settle(lock, now);
    return held;
  }

  /** The state before all holds were ended. */
  steal(op: Op<"steal">): LockState {
    const lock = this.table.get(op.lock);
    if (lock === undefined) return nobody;
    const now = (lock.usedAt = this.#instant.monotonic);
    this.#settle(lock, now);
    const before = rules.stateOf(lock, now);
    rules.steal(lock, op.owner, this.#leastGrant());
    this.#settle(lock, now);
    return before;
  }

  inspect(key: Key): LockState {
    const lock = this.table.get(key);
    if (lock === undefined) return nobody;
    const now = this.#instant.monotonic;
    this.#settle(lock, now);
    return rules.stateOf(lock, now);
  }

  /** Called when a lease or a waiter may have ended, or when a record may have been idle for long. */
  visit(lock: LockRecord, now: number): void {
    this.#settle(lock, now);
    if (lock.queue.length > 0) return;
    const until = Math.max(lock.usedAt + keepIdleMs, rules.endOf(lock));
    if (until > now) {
      this.#queue.schedule(lock, until);
    } else {
      this.#grantFloor = Math.max(this.#grantFloor, lock.grant + 1);
      this.table.remove(lock.rows, lock.key);
    }
  }

  /** Whether anybody holds the lock or waits for it. */
  isInUse(lock: LockRecord, now: number): boolean {
    this.#settle(lock, now);
    return lock.holds.length > 0 || lock.queue.length > 0;
  }

  #held(lock: LockRecord | undefined, lease: { owner: string; grant: number }): rules.Hold | undefined {
    const hold = lock && rules.holdOf(lock, lease.owner, lease.grant);
    return hold !== undefined && hold.until > this.#instant.monotonic ? hold : undefined;
  }

  #demand(key: Key): LockRecord {
    const rows = this.table.rows(key.space);
    const lock: LockRecord = {
      ...rules.emptyLock(),
      key: key.key,
      seq: rows.nextSeq++,
      rows,
      address: key,
      usedAt: this.#instant.monotonic,
      queuedAt: Infinity,
    };
    rows.items.set(key.key, lock);
    this.#queue.schedule(lock, lock.usedAt + keepIdleMs);
    return lock;
  }

  #leastGrant(): number {
    return Math.max(this.#grantFloor, Math.floor(this.#instant.wall * 1_000));
  }

  /** Ends what has ended by now, and passes the lock on to those at the head of the queue whom nobody excludes. */
  #settle(lock: LockRecord, now: number): void {
    rules.reap(lock, now);
    if (lock.queue.length === 0) return;
    for (const { owner, session, grant } of rules.handOff(lock, now, this.#leastGrant())) {
      lock.usedAt = now;
      this.#bus.granted(session, lock.address, owner, grant);
    }
    if (lock.queue.length > 0) this.#awaken(lock);
  }

  /** Has a lock that somebody waits for looked at when a hold or the head of the queue may have ended. */
  #awaken(lock: LockRecord): void {
    let at = (lock.queue[0] as rules.Waiter).until;
    for (const hold of lock.holds) at = Math.min(at, hold.until);
    this.#queue.schedule(lock, at);
  }
}

const nobody: LockState = { holders: [], waiting: 0 };
