import { tagOf, wasOver } from "../../base/process-tag.ts";
import { packLock, unpackLock, type PackedLock } from "../common/lock-codec.ts";
import { emptyLock, reap, reapDead, type LockRecord } from "../common/lock-rules.ts";

/** A lock as stored. */
export interface StoredLock extends LockRecord {
  /** Wall time when the sweep looks at it, or 0. */
  sweepAt: number;
  /** Sessions that wait, or were handed the lock and have not confirmed it, as stored. */
  waiting: readonly string[];
  /** Whether it is there. */
  stored: boolean;
}

type Encoded = readonly [epoch: number, sweepAt: number, ...lock: PackedLock];

/**
 * A lock, reaped at `now`: also of processes that are no more. Of another boot (epoch) only its grant is left. Without
 * a text it is one that nobody has touched.
 */
export function readLock(text: string | undefined, epoch: number, now: number): StoredLock {
  if (text === undefined) return { ...emptyLock(), sweepAt: 0, waiting: [], stored: false };
  const [storedEpoch, sweepAt, ...packed] = JSON.parse(text) as Encoded;
  if (storedEpoch !== epoch) return { ...emptyLock(), grant: packed[0], sweepAt, waiting: [], stored: true };
  const lock: StoredLock = { ...unpackLock(packed), sweepAt, waiting: [], stored: true };
  lock.waiting = sessionsOf(lock);
  reap(lock, now);
  // As with those that have expired: nothing of it until somebody writes the lock, and then with a grant above it.
  reapDead(lock, (session) => wasOver(tagOf(session), now));
  return lock;
}

/** A lock as it is stored. */
export function lockText(lock: StoredLock, epoch: number): string {
  return JSON.stringify([epoch, lock.sweepAt, ...packLock(lock)] satisfies Encoded);
}

/** Sessions that wait for the lock or have yet to confirm it, each once. */
export function sessionsOf(record: LockRecord): readonly string[] {
  if (record.queue.length === 0 && record.holds.every((hold) => !hold.pending)) return [];
  const sessions = new Set(record.queue.map((waiter) => waiter.session));
  for (const hold of record.holds) if (hold.pending && hold.session) sessions.add(hold.session);
  return [...sessions];
}
