import type { Hold, LockRecord, Mark, Waiter } from "./lock-rules.ts";

/**
 * A lock as it is stored in JSON: arrays instead of objects, since a lock is written on every acquire. Absent values
 * are null.
 */
export type PackedLock = readonly [
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

export function packLock({ grant, holds, queue, marks }: LockRecord): PackedLock {
  return [
    grant,
    holds.map(({ owner, mode, grant: held, info, until, session, pending }) => {
      return [owner, mode === "shared" ? 1 : 0, held, info, until, session ?? null, pending ? 1 : 0];
    }),
    queue.map(({ owner, session, mode, limit, info, claimMs, until }) => {
      return [owner, session, mode === "shared" ? 1 : 0, limit ?? null, info, claimMs, until];
    }),
    marks.map(({ owner, until }) => [owner, until]),
  ];
}

export function unpackLock([grant, holds, queue, marks]: PackedLock): LockRecord {
  return {
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
  };
}
