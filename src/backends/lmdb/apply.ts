import {
  aheadOf,
  enqueue,
  extend,
  give,
  holdOf,
  judge,
  release,
  stateOf,
  steal,
  type Acquire,
} from "../common/lock-rules.ts";
import type { Granted, LockState, Outcome, Result, StoredRecord } from "../../port/index.ts";
import { index, sweepMoment } from "./expiry-index.ts";
import { raiseFloor } from "./floors.ts";
import { expiryOf, idOf, isExpired, readRecord, setExpiry, stampsOf } from "./layout.ts";
import { isCurrent } from "./reads.ts";
import type { StoredLock } from "./lock-table.ts";
import type { Transaction } from "./transaction.ts";
import { code, condition, ttl, type BatchReader, type WiredKey, type WiredLockOperation } from "./wire.ts";

/** An operation whose checks have passed. Run once all of the group have; the result. */
type Effect = () => Result;

/** A group that fails, with why. */
class Refusal {
  readonly outcome: Outcome;
  constructor(outcome: Outcome) {
    this.outcome = outcome;
  }
}

const nothing = (): undefined => undefined;

/**
 * Runs the group that `read` is at: first every check, then every effect. `undefined` is "ok, and no result to tell", by far
 * the most frequent outcome.
 */
export function applyGroup(tx: Transaction, read: BatchReader, guards: number, ops: number): Outcome | undefined {
  const effects: Effect[] = [];
  for (let i = 0; i < guards; i++) {
    const key = read.key();
    const owner = read.string();
    if (!holdOf(tx.lock(key.bytes).record, owner, read.double())) return { ok: false, why: "fenced", at: -1 - i };
  }
  for (let at = 0; at < ops; at++) {
    const effect = check(tx, read, at);
    if (effect instanceof Refusal) return effect.outcome;
    effects.push(effect);
  }
  let told = false;
  const results: Result[] = [];
  for (const effect of effects) {
    const result = effect();
    if (result !== undefined) told = true;
    results.push(result);
  }
  return told ? { ok: true, results } : undefined;
}

/** Reads the next operation and checks it. */
function check(tx: Transaction, read: BatchReader, at: number): Effect | Refusal {
  const op = read.byte();
  const key = read.key();
  switch (op) {
    case code.get: {
      const found = get(tx, key, read.byte() === 1);
      return () => found;
    }
    case code.check:
      return checkCondition(tx, key, read, at) ?? nothing;
    case code.set: {
      const refused = checkCondition(tx, key, read, at);
      const kind = read.byte();
      const ms = kind === ttl.ms ? read.double() : 0;
      const record = read.blob();
      return refused ?? (() => set(tx, key, kind, ms, record));
    }
    case code.delete:
      return checkCondition(tx, key, read, at) ?? (() => remove(tx, key));
    case code.floor: {
      const fence = { grant: read.double(), n: read.double(), keepMs: read.double() };
      return raiseFloor(tx, key.bytes, fence) ?? new Refusal({ ok: false, why: "fenced", at });
    }
    default:
      return lockOperation(tx, key, JSON.parse(read.string()) as WiredLockOperation, at);
  }
}

/** The live record under `key`. */
function current(tx: Transaction, key: WiredKey): StoredRecord | undefined {
  const { records } = tx.tables;
  const bytes = records.getBinaryFast(key.bytes);
  if (!bytes || isExpired(bytes, tx.wall)) return undefined;
  return readRecord(key.bytes.toString("utf8", key.space), bytes, records.lastSize);
}

function get(tx: Transaction, key: WiredKey, stamped: boolean): StoredRecord | undefined {
  const record = current(tx, key);
  if (!record || !stamped) return record;
  const { records } = tx.tables;
  const bytes = records.getBinaryFast(key.bytes);
  const stamps = bytes ? stampsOf(bytes) : [];
  return stamps.every((stamp) => isCurrent(records, stamp.key, stamp.id, tx.wall)) ? record : undefined;
}

/** Reads a condition and checks it. */
function checkCondition(tx: Transaction, key: WiredKey, read: BatchReader, at: number): Refusal | undefined {
  const wanted = read.byte();
  if (wanted === condition.none) return undefined;
  const id = wanted === condition.id ? read.string() : undefined;
  const bytes = tx.tables.records.getBinaryFast(key.bytes);
  const found = bytes && !isExpired(bytes, tx.wall) ? idOf(bytes) : undefined;
  if (found === id) return undefined;
  return new Refusal({ ok: false, why: "conflict", at, current: current(tx, key) });
}

function set(tx: Transaction, key: WiredKey, kind: number, ms: number, record: Buffer): undefined {
  const { records, expiry } = tx.tables;
  if (kind !== ttl.none) {
    const old = kind === ttl.keep ? records.getBinaryFast(key.bytes) : undefined;
    const expiresAt = kind === ttl.ms ? tx.wall + ms : old && !isExpired(old, tx.wall) ? expiryOf(old) : 0;
    setExpiry(record, expiresAt);
    // With "keep" the entry of the write that set the ttl is still in the index.
    if (kind === ttl.ms) index(expiry, sweepMoment(expiresAt, ms), "record", key.bytes);
  }
  records.put(key.bytes, record);
  tx.changed(key);
}

function remove(tx: Transaction, key: WiredKey): boolean {
  const { records } = tx.tables;
  const bytes = records.getBinaryFast(key.bytes);
  if (!bytes) return false;
  const live = !isExpired(bytes, tx.wall);
  records.remove(key.bytes);
  // Also of one that has expired: the sweep, which tells of those, will not find it any more.
  tx.changed(key);
  return live;
}

function lockOperation(
  tx: Transaction,
  { bytes: key }: WiredKey,
  op: WiredLockOperation,
  at: number,
): Effect | Refusal {
  const lock = tx.lock(key);
  const { record } = lock;
  switch (op.op) {
    case "acquire":
      return acquire(tx, key, lock, op, op.session, at);
    case "extend": {
      const hold = holdOf(record, op.owner, op.grant);
      if (!hold) return new Refusal({ ok: false, why: "fenced", at });
      return (): Granted => {
        const grant = extend(record, hold, tx.now, op.ttl, op.raise);
        tx.saveLock(key, lock);
        return { grant };
      };
    }
    case "release":
      return (): boolean => {
        const held = release(record, op.owner, tx.now, op.markMs);
        // Nothing to end, nobody to pass it on to and no mark: a lock that was never there stays so.
        if (lock.stored || op.markMs !== undefined) tx.saveLock(key, lock);
        return held;
      };
    case "steal":
      return (): LockState => {
        const before = stateOf(record, tx.now);
        if (lock.stored) {
          steal(record, op.owner, tx.leastGrant(lock));
          tx.saveLock(key, lock);
        }
        return before;
      };
    case "inspect": {
      const state = stateOf(record, tx.now);
      return () => state;
    }
  }
}

function acquire(
  tx: Transaction,
  key: Buffer,
  lock: StoredLock,
  op: Acquire,
  session: string,
  at: number,
): Effect | Refusal {
  const { record } = lock;
  switch (judge(record, op)) {
    case "granted":
      return () => {
        const grant = give(record, op, tx.now, tx.leastGrant(lock), session);
        tx.saveLock(key, lock);
        return { grant };
      };
    case "fenced":
      return new Refusal({ ok: false, why: "fenced", at });
    case "held":
      if (op.wait) {
        // The only effect of a group that fails; it stands alone in its group.
        enqueue(record, op, session, op.wait.claimMs, tx.now);
        tx.saveLock(key, lock);
      }
      return new Refusal({
        ok: false,
        why: "held",
        at,
        state: stateOf(record, tx.now),
        ahead: aheadOf(record, op.owner),
      });
  }
}
