import { isHoldfastError } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import type { Reply } from "../client/index.ts";
import type { LockTable } from "./table.ts";

/**
 * What became of a lease: `"released"`; `"lost"`, it had ended before; `"unknown"`, the store could not be asked in time, and
 * it ends with its ttl at the latest.
 */
export type ReleaseResult = "released" | "lost" | "unknown";

interface Releasing {
  readonly table: LockTable;
  readonly locks: readonly Key[];
  readonly owner: string;
  /** By `time.monotonic()`. */
  readonly deadline: number;
  /** Refuses the owner for that long, so that a late copy of its acquire takes nothing. */
  readonly markMs?: number | undefined;
  /** Whether a caller waits for it. */
  readonly awaited: boolean;
}

const firstPauseMs = 20;
const longestPauseMs = 1_000;

/** Ends an owner's holds and places in queues. Replayed while its fate is unknown, until its deadline; never rejects. */
export function releaseLocks(releasing: Releasing): ReleaseResult | Promise<ReleaseResult> {
  const { locks } = releasing;
  if (locks.length === 1) return releaseOne(releasing, locks[0] as Key);
  return Promise.all(locks.map(async (lock) => releaseOne(releasing, lock))).then((results) =>
    results.includes("unknown") ? "unknown" : results.includes("lost") ? "lost" : "released",
  );
}

/** The same without a caller: what is left over by an acquire that was given up. */
export function releaseInBackground(table: LockTable, locks: readonly Key[], owner: string, markMs?: number): void {
  const forMs = Math.max(table.instance.timeout, markMs ?? 0);
  const deadline = table.time.monotonic() + forMs;
  const result = releaseLocks({ table, locks, owner, deadline, markMs, awaited: false });
  if (result instanceof Promise) table.background(result);
}

function releaseOne(releasing: Releasing, lock: Key): ReleaseResult | Promise<ReleaseResult> {
  let reply: Reply | Promise<Reply>;
  try {
    reply = send(releasing, lock);
  } catch (error) {
    return again(releasing, lock, error);
  }
  if (!(reply instanceof Promise)) return heldOf(reply) ? "released" : "lost";
  return reply.then(
    (settled) => (heldOf(settled) ? "released" : "lost"),
    (error: unknown) => again(releasing, lock, error),
  );
}

function send({ table, owner, deadline, markMs }: Releasing, lock: Key): Reply | Promise<Reply> {
  return table.instance.execute({ ops: [{ op: "release", lock, owner, markMs }] }, { signal: undefined, deadline });
}

function heldOf(reply: Reply): boolean {
  return reply.ok && reply.results[0] === true;
}

async function again(releasing: Releasing, lock: Key, first: unknown): Promise<ReleaseResult> {
  const { table, deadline, awaited } = releasing;
  let error = first;
  let sent = false;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const lost = isHoldfastError(error, "INDETERMINATE");
    sent ||= lost;
    const canPass = lost || isHoldfastError(error, "UNAVAILABLE");
    if (!canPass || !table.isOpen() || table.time.monotonic() + pauseMs >= deadline) {
      const { name } = lock.space;
      table.instance.events.emit("releaseFailed", { lock: name, keys: [lock.key], error });
      return "unknown";
    }
    await table.pause(pauseMs, { ref: awaited });
    try {
      // One of the earlier copies may be what ended the hold.
      return heldOf(await send(releasing, lock)) || sent ? "released" : "lost";
    } catch (later) {
      error = later;
    }
  }
}
