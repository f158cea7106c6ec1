import type { Key } from "../../base/keys.ts";
import type { Granted, Guard, LockMode, LockState, Operation, Outcome } from "../../port/index.ts";
import type { Bus, Ear } from "./bus.ts";
import type { Due, DueQueue } from "./due-queue.ts";
import type { Instant } from "./instant.ts";
import { Table, type Placed, type Rows } from "./table.ts";

type Op<Name extends Operation["op"]> = Extract<Operation, { op: Name }>;

/** How long a lock that nobody uses is remembered, in ms. */
const keepIdleMs = 60_000;
/** Marks of one lock before expired ones are looked for. */
const manyMarks = 64;

interface Hold {
  readonly owner: string;
  readonly mode: LockMode;
  grant: number;
  info: string;
  /** When it ends, by the monotonic clock. */
  until: number;
}

interface Waiter {
  readonly owner: string;
  readonly mode: LockMode;
  readonly limit: number | undefined;
  info: string;
  claimMs: number;
  /** When it counts as dead, by the monotonic clock. */
  until: number;
  ear: Ear;
}

/** What is remembered of a lock. */
export interface LockRecord extends Placed, Due {
  readonly rows: Rows<LockRecord>;
  readonly address: Key;
  /** The highest grant ever given or raised to. */
  grant: number;
  readonly holds: Hold[];
  /** First come, first served. */
  readonly queue: Waiter[];
  /** Owners that must not acquire, and until when, by the monotonic clock. */
  marks: Map<string, number> | undefined;
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
  refuseAcquire(op: Op<"acquire">, at: number, ear: Ear): Outcome | undefined {
    const known = this.table.get(op.lock);
    if (known === undefined) return undefined;
    const now = this.#instant.monotonic;
    if ((known.marks?.get(op.owner) ?? 0) > now) return { ok: false, why: "fenced", at };
    this.#settle(known, now);
    if (holdOf(known, op.owner)) return undefined;
    let ahead = known.queue.findIndex((waiter) => waiter.owner === op.owner);
    if (ahead === 0 || (ahead < 0 && known.queue.length === 0)) {
      if (admits(known, op.mode, op.limit)) return undefined;
    }
    if (op.wait) ahead = this.#enqueue(known, op, op.wait.claimMs, ahead, ear, now);
    return held(at, known, ahead < 0 ? known.queue.length : ahead, now);
  }

  /** Grants what {@link refuseAcquire} did not refuse. */
  acquire(op: Op<"acquire">): Granted {
    const lock = this.table.get(op.lock) ?? this.#demand(op.lock);
    const now = this.#instant.monotonic;
    lock.usedAt = now;
    const hold = holdOf(lock, op.owner);
    if (hold) {
      hold.until = now + op.ttl;
      hold.info = op.info;
      return { grant: hold.grant };
    }
    const place = lock.queue.findIndex((waiter) => waiter.owner === op.owner);
    if (place >= 0) lock.queue.splice(place, 1);
    const grant = this.#grant(lock, op, now + op.ttl);
    // Others of its kind may come in beside it.
    this.#settle(lock, now);
    return { grant };
  }

  /** Whether the lease of `op` is held. */
  canExtend(op: Op<"extend">): boolean {
    return this.#held(this.table.get(op.lock), op) !== undefined;
  }

  /** Extends what {@link canExtend} allowed. */
  extend(op: Op<"extend">): Granted {
    const lock = this.table.get(op.lock) as LockRecord;
    const hold = this.#held(lock, op) as Hold;
    lock.usedAt = this.#instant.monotonic;
    hold.until = lock.usedAt + op.ttl;
    if (op.raise !== undefined && op.raise > hold.grant) {
      hold.grant = op.raise;
      lock.grant = Math.max(lock.grant, op.raise);
    }
    return { grant: hold.grant };
  }

  /** Whether the owner held the lock. */
  release(op: Op<"release">): boolean {
    const lock = this.table.get(op.lock) ?? (op.markMs === undefined ? undefined : this.#demand(op.lock));
    if (lock === undefined) return false;
    const now = this.#instant.monotonic;
    lock.usedAt = now;
    const at = lock.holds.findIndex((hold) => hold.owner === op.owner);
    const ended = at < 0 ? undefined : lock.holds.splice(at, 1)[0];
    if (lock.queue.length > 0) {
      const place = lock.queue.findIndex((waiter) => waiter.owner === op.owner);
      if (place >= 0) lock.queue.splice(place, 1);
      this.#settle(lock, now);
    }
    if (op.markMs !== undefined) mark(lock, op.owner, now, op.markMs);
    return ended !== undefined && ended.until > now;
  }

  /** The state before all holds were ended. */
  steal(op: Op<"steal">): LockState {
    const lock = this.table.get(op.lock);
    if (lock === undefined) return { holders: [], waiting: 0 };
    const now = this.#instant.monotonic;
    this.#settle(lock, now);
    const before = stateOf(lock, now);
    lock.usedAt = now;
    lock.holds.length = 0;
    lock.grant = this.#nextGrant(lock);
    this.#settle(lock, now);
    return before;
  }

  inspect(key: Key): LockState {
    const lock = this.table.get(key);
    if (lock === undefined) return { holders: [], waiting: 0 };
    this.#settle(lock, this.#instant.monotonic);
    return stateOf(lock, this.#instant.monotonic);
  }

  /** Called when a lease or a waiter may have ended, or when a record may have been idle for long. */
  visit(lock: LockRecord, now: number): void {
    this.#settle(lock, now);
    if (lock.queue.length > 0) return;
    forgetMarks(lock, now);
    let until = lock.usedAt + keepIdleMs;
    for (const hold of lock.holds) until = Math.max(until, hold.until);
    for (const end of lock.marks?.values() ?? []) until = Math.max(until, end);
    if (until > now) {
      this.#queue.schedule(lock, until);
    } else {
      this.#grantFloor = Math.max(this.#grantFloor, lock.grant + 1);
      this.table.remove(lock.rows, lock.key);
    }
  }

  #held(lock: LockRecord | undefined, lease: { owner: string; grant: number }): Hold | undefined {
    const hold = lock && holdOf(lock, lease.owner);
    return hold?.grant === lease.grant && hold.until > this.#instant.monotonic ? hold : undefined;
  }

  #demand(key: Key): LockRecord {
    const rows = this.table.rows(key.space);
    const lock: LockRecord = {
      key: key.key,
      seq: rows.nextSeq++,
      rows,
      address: key,
      grant: 0,
      holds: [],
      queue: [],
      marks: undefined,
      usedAt: this.#instant.monotonic,
      queuedAt: Infinity,
    };
    rows.items.set(key.key, lock);
    this.#queue.schedule(lock, lock.usedAt + keepIdleMs);
    return lock;
  }

  #nextGrant(lock: LockRecord): number {
    return Math.max(lock.grant + 1, this.#grantFloor, Math.floor(this.#instant.wall * 1_000));
  }

  #grant(lock: LockRecord, to: { owner: string; mode: LockMode; info: string }, until: number): number {
    const grant = this.#nextGrant(lock);
    lock.grant = grant;
    lock.holds.push({ owner: to.owner, mode: to.mode, grant, info: to.info, until });
    return grant;
  }

  /** The owner's place in the queue. */
  #enqueue(lock: LockRecord, op: Op<"acquire">, claimMs: number, place: number, ear: Ear, now: number): number {
    const { owner, mode, limit, info } = op;
    const known = lock.queue[place];
    if (known) {
      known.claimMs = claimMs;
      known.until = now + claimMs;
      known.info = info;
      known.ear = ear;
    } else {
      place = lock.queue.push({ owner, mode, limit, info, claimMs, until: now + claimMs, ear }) - 1;
    }
    this.#awaken(lock);
    return place;
  }

  /** Ends what has ended by now, and passes the lock on to those at the head of the queue whom nobody excludes. */
  #settle(lock: LockRecord, now: number): void {
    if (lock.holds.length > 0) keep(lock.holds, now);
    if (lock.queue.length === 0) return;
    keep(lock.queue, now);
    for (let head = lock.queue[0]; head !== undefined && admits(lock, head.mode, head.limit); head = lock.queue[0]) {
      lock.queue.shift();
      lock.usedAt = now;
      this.#grant(lock, head, now + head.claimMs);
      this.#bus.granted(head.ear, lock.address, head.owner);
    }
    if (lock.queue.length > 0) this.#awaken(lock);
  }

  /** Has a lock that somebody waits for looked at when a hold or the head of the queue may have ended. */
  #awaken(lock: LockRecord): void {
    let at = (lock.queue[0] as Waiter).until;
    for (const hold of lock.holds) at = Math.min(at, hold.until);
    this.#queue.schedule(lock, at);
  }
}

/** Whether anybody holds the lock or waits for it. */
export function isInUse(lock: LockRecord, now: number): boolean {
  return lock.holds.some((hold) => hold.until > now) || lock.queue.some((waiter) => waiter.until > now);
}

function holdOf(lock: LockRecord, owner: string): Hold | undefined {
  for (const hold of lock.holds) if (hold.owner === owner) return hold;
  return undefined;
}

function admits(lock: LockRecord, mode: LockMode, limit: number | undefined): boolean {
  if (mode === "exclusive") return lock.holds.length === 0;
  return lock.holds[0]?.mode !== "exclusive" && lock.holds.length < (limit ?? Infinity);
}

/** Removes in place what has ended. */
function keep(items: { readonly until: number }[], now: number): void {
  let kept = 0;
  for (const item of items) if (item.until > now) items[kept++] = item;
  items.length = kept;
}

function mark(lock: LockRecord, owner: string, now: number, ms: number): void {
  lock.marks ??= new Map();
  if (lock.marks.size >= manyMarks) forgetMarks(lock, now);
  lock.marks.set(owner, now + ms);
}

function forgetMarks(lock: LockRecord, now: number): void {
  for (const [owner, until] of lock.marks ?? []) if (until <= now) lock.marks?.delete(owner);
}

function stateOf(lock: LockRecord, now: number): LockState {
  return {
    holders: lock.holds.map(({ owner, mode, grant, info, until }) => ({
      owner,
      mode,
      grant,
      info,
      remainingMs: Math.ceil(until - now),
    })),
    waiting: lock.queue.length,
  };
}

function held(at: number, lock: LockRecord, ahead: number, now: number): Outcome {
  return { ok: false, why: "held", at, state: stateOf(lock, now), ahead };
}
