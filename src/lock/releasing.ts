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
  /** When nobody waits for it any more, by `time.monotonic()`. It goes on until {@link until}. */
  readonly deadline: number;
  /** When there is nothing left to release, by the same clock: the lease has ended, its claim, and a late copy of its acquire. */
  readonly until?: number | undefined;
  /** Refuses the owner for that long, so that a late copy of its acquire takes nothing. */
  readonly markMs?: number | undefined;
  /** Whether a caller waits for it. */
  readonly awaited: boolean;
}

const firstPauseMs = 20;
const longestPauseMs = 1_000;

/**
 * Ends an owner's holds and places in queues. Replayed while its fate is unknown or the store cannot do it now, until its deadline,
 * and then without a caller for as long as there may be something to release; never rejects.
 */
export function releaseLocks(releasing: Releasing): ReleaseResult | Promise<ReleaseResult> {
  const { locks } = releasing;
  if (locks.length === 1) return releaseOne(releasing, locks[0] as Key);
  return Promise.all(locks.map(async (lock) => releaseOne(releasing, lock))).then((results) =>
    results.includes("unknown") ? "unknown" : results.includes("lost") ? "lost" : "released",
  );
}

/** The same without a caller: what is left over by an acquire that was given up. `heldMs`: for how long it may be held. */
export function releaseInBackground(
  table: LockTable,
  locks: readonly Key[],
  owner: string,
  { heldMs = 0, markMs }: { readonly heldMs?: number | undefined; readonly markMs?: number | undefined } = {},
): void {
  const deadline = table.time.monotonic() + Math.max(table.instance.timeout, markMs ?? 0, heldMs);
  const result = releaseLocks({ table, locks, owner, deadline, markMs, awaited: false });
  if (result instanceof Promise) table.background(result);
}

function releaseOne(releasing: Releasing, lock: Key): ReleaseResult | Promise<ReleaseResult> {
  let reply: Reply | Promise<Reply>;
  try {
    reply = send(releasing, lock, releasing.deadline);
  } catch (error) {
    return again(releasing, lock, error);
  }
  if (!(reply instanceof Promise)) return heldOf(reply) ? "released" : "lost";
  return reply.then(
    (settled) => (heldOf(settled) ? "released" : "lost"),
    (error: unknown) => again(releasing, lock, error),
  );
}

function send({ table, owner, markMs }: Releasing, lock: Key, deadline: number): Reply | Promise<Reply> {
  return table.instance.execute({ ops: [{ op: "release", lock, owner, markMs }] }, { signal: undefined, deadline });
}

function heldOf(reply: Reply): boolean {
  return reply.ok && reply.results[0] === true;
}

/** What becomes of it after a first try that failed; who waits for it is told at the deadline at the latest. */
async function again(releasing: Releasing, lock: Key, first: unknown): Promise<ReleaseResult> {
  const { table, deadline, until = deadline, awaited } = releasing;
  const told = { error: first };
  const released = replay(releasing, lock, told);
  table.background(released);
  const overdue = until > deadline && awaited;
  const result = await (overdue ? Promise.race([released, late(table, deadline, released)]) : released);
  if (result === "unknown") {
    table.instance.events.emit("releaseFailed", { lock: lock.space.name, keys: [lock.key], error: told.error });
  }
  return result;
}

async function late(table: LockTable, deadline: number, released: Promise<unknown>): Promise<ReleaseResult> {
  return new Promise((resolve) => {
    const timer = table.time.after(deadline - table.time.monotonic(), () => resolve("unknown"), { ref: true });
    void released.then(() => timer.clear());
  });
}

async function replay(releasing: Releasing, lock: Key, told: { error: unknown }): Promise<ReleaseResult> {
  const { table, deadline, until = deadline, awaited } = releasing;
  const { time } = table;
  let sent = false;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const lost = isHoldfastError(told.error, "INDETERMINATE");
    sent ||= lost;
    const canPass = lost || isHoldfastError(told.error, "UNAVAILABLE");
    if (!canPass || !table.isOpen() || time.monotonic() + pauseMs >= Math.max(deadline, until)) return "unknown";
    await table.pause(pauseMs, { ref: awaited && time.monotonic() < deadline });
    const now = time.monotonic();
    try {
      // One of the earlier copies may be what ended the hold. What nobody waits for any more has the time of any call.
      const reply = await send(releasing, lock, now < deadline ? deadline : now + table.instance.timeout);
      return heldOf(reply) || sent ? "released" : "lost";
    } catch (later) {
      told.error = later;
    }
  }
}
