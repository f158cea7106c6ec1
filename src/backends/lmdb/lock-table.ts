import type { LmdbKey, LmdbStore } from "./driver.ts";
import { textOf } from "./layout.ts";
import { tagOf, wasOver } from "../../base/process-tag.ts";
import { emptyLock, reap, reapDead, type Hold, type LockRecord, type Mark, type Waiter } from "../common/lock-rules.ts";

/** A lock as stored. */
export interface StoredLock extends LockRecord {
  /** Wall time of its entry in the expiry index, or 0. */
  sweepAt: number;
  /** Sessions that wait, or were handed the lock and have not confirmed it, as stored. */
  waiting: readonly string[];
  /** Whether it is there. */
  stored: boolean;
}

/** Arrays instead of objects, since a lock is written on every acquire. Absent values are null. */
type Encoded = readonly [
  epoch: number,
  sweepAt: number,
  grant: number,
  holds: readonly (readonly [
    owner: string,
    shared: 0 | 1,
    grant: number,
    info: string,
    until: number,
    session: string | null,
    pending: 0 | 1,
  ])[],
  queue: readonly (readonly [
    owner: string,
    session: string,
    shared: 0 | 1,
    limit: number | null,
    info: string,
    claimMs: number,
    until: number,
  ])[],
  marks: readonly (readonly [owner: string, until: number])[],
];

/**
 * The lock under `key`, reaped at `now`: also of processes that are no more. Of another boot (epoch) only its grant
 * is left.
 */
export function readLock(locks: LmdbStore, key: LmdbKey, epoch: number, now: number): StoredLock {
  const bytes = locks.getBinaryFast(key);
  if (!bytes) return { ...emptyLock(), sweepAt: 0, waiting: [], stored: false };
  const text = textOf(bytes, locks.lastSize);
  const [storedEpoch, sweepAt, grant, holds, queue, marks] = JSON.parse(text) as Encoded;
  if (storedEpoch !== epoch) return { ...emptyLock(), grant, sweepAt, waiting: [], stored: true };
  const lock: StoredLock = {
    grant,
    holds: holds.map(([owner, shared, held, info, until, session, pending]): Hold => {
      const mode = shared ? "shared" : "exclusive";
      return { owner, mode, grant: held, info, until, session: session ?? undefined, pending: pending === 1 };
    }),
    queue: queue.map(([owner, session, shared, limit, info, claimMs, until]): Waiter => {
      const mode = shared ? "shared" : "exclusive";
      return { owner, session, mode, limit: limit ?? undefined, info, claimMs, until };
    }),
    marks: marks.map(([owner, until]): Mark => ({ owner, until })),
    sweepAt,
    waiting: [],
    stored: true,
  };
  lock.waiting = sessionsOf(lock);
  reap(lock, now);
  // As with those that have expired: nothing of it until somebody writes the lock, and then with a grant above it.
  reapDead(lock, (session) => wasOver(tagOf(session), now));
  return lock;
}

/** The bytes of a lock. */
export function encodeLock(lock: StoredLock, epoch: number): Buffer {
  const { grant, holds, queue, marks } = lock;
  const encoded: Encoded = [
    epoch,
    lock.sweepAt,
    grant,
    holds.map((hold) => {
      const { owner, mode, grant: held, info, until, session, pending } = hold;
      return [owner, mode === "shared" ? 1 : 0, held, info, until, session ?? null, pending ? 1 : 0];
    }),
    queue.map(({ owner, session, mode, limit, info, claimMs, until }) => {
      return [owner, session, mode === "shared" ? 1 : 0, limit ?? null, info, claimMs, until];
    }),
    marks.map(({ owner, until }) => [owner, until]),
  ];
  return Buffer.from(JSON.stringify(encoded));
}

/** Sessions that wait for the lock or have yet to confirm it, each once. */
export function sessionsOf(record: LockRecord): readonly string[] {
  if (record.queue.length === 0 && record.holds.every((hold) => !hold.pending)) return [];
  const sessions = new Set(record.queue.map((waiter) => waiter.session));
  for (const hold of record.holds) if (hold.pending && hold.session) sessions.add(hold.session);
  return [...sessions];
}
