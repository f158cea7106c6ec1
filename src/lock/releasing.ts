import { isHoldfastError } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import type { Reply } from "../client/index.ts";
import type { LockHost } from "./host.ts";

/**
 * How a release ended: `"released"`; `"lost"`, the lease had ended before; `"unknown"`, the store could not be asked in
 * time, and the lease ends with its ttl at the latest.
 */
export type ReleaseResult = "released" | "lost" | "unknown";

interface Releasing {
  readonly host: LockHost;
  readonly locks: readonly Key[];
  readonly owner: string;
  /**
   * How long a caller waits for it, by `time.monotonic()`. After that it is tried in the background until {@link
   * until}.
   */
  readonly deadline: number;
  /**
   * When nothing is left to release, by the same clock: the lease, its claim and a late copy of its acquire have ended.
   */
  readonly until?: number | undefined;
  /** Refuses the owner for that long, so that a late copy of its acquire takes nothing. */
  readonly markMs?: number | undefined;
  /** Whether a caller waits for it. */
  readonly awaited: boolean;
}

const firstPauseMs = 20;
const longestPauseMs = 1_000;

/**
 * Ends an owner's holds and its places in queues. If the outcome is unknown, or the store cannot do it now, it is
 * repeated until the deadline, and after that in the background for as long as there may be something to release. Never
 * rejects.
 */
export function releaseLocks(releasing: Releasing): ReleaseResult | Promise<ReleaseResult> {
  const { locks } = releasing;
  if (locks.length === 1) return releaseOne(releasing, locks[0] as Key);
  return Promise.all(locks.map(async (lock) => releaseOne(releasing, lock))).then((results) =>
    results.includes("unknown") ? "unknown" : results.includes("lost") ? "lost" : "released",
  );
}

/**
 * The same without a caller, for what an abandoned acquire left behind. `heldMs`: for how long the lock may be held.
 */
export function releaseInBackground(
  host: LockHost,
  locks: readonly Key[],
  owner: string,
  { heldMs = 0, markMs }: { readonly heldMs?: number | undefined; readonly markMs?: number | undefined } = {},
): void {
  const deadline = host.time.monotonic() + Math.max(host.instance.timeout, markMs ?? 0, heldMs);
  const result = releaseLocks({ host, locks, owner, deadline, markMs, awaited: false });
  if (result instanceof Promise) host.background(result);
}

function releaseOne(releasing: Releasing, lock: Key): ReleaseResult | Promise<ReleaseResult> {
  let reply: Reply | Promise<Reply>;
  try {
    reply = send(releasing, lock, releasing.deadline);
  } catch (error) {
    return again(releasing, lock, error);
  }
  if (!(reply instanceof Promise)) return wasHeld(reply) ? "released" : "lost";
  return reply.then(
    (settled) => (wasHeld(settled) ? "released" : "lost"),
    (error: unknown) => again(releasing, lock, error),
  );
}

function send({ host, owner, markMs }: Releasing, lock: Key, deadline: number): Reply | Promise<Reply> {
  return host.instance.execute({ ops: [{ op: "release", lock, owner, markMs }] }, { signal: undefined, deadline });
}

function wasHeld(reply: Reply): boolean {
  return reply.ok && reply.results[0] === true;
}

/** The result after a first try that failed. A caller gets it at the deadline at the latest. */
async function again(releasing: Releasing, lock: Key, first: unknown): Promise<ReleaseResult> {
  const { host, deadline, until = deadline, awaited } = releasing;
  const last = { error: first };
  const released = replay(releasing, lock, last);
  host.background(released);
  const overdue = until > deadline && awaited;
  const result = await (overdue ? Promise.race([released, late(host, deadline, released)]) : released);
  if (result === "unknown") {
    host.instance.events.emit("releaseFailed", { lock: lock.space.name, keys: [lock.key], error: last.error });
  }
  return result;
}

async function late(host: LockHost, deadline: number, released: Promise<unknown>): Promise<ReleaseResult> {
  return new Promise((resolve) => {
    const timer = host.time.after(deadline - host.time.monotonic(), () => resolve("unknown"), { ref: true });
    void released.then(() => timer.clear());
  });
}

/** Repeats the release until it is answered, or there is nothing left to release. `last` keeps the last error. */
async function replay(releasing: Releasing, lock: Key, last: { error: unknown }): Promise<ReleaseResult> {
  const { host, deadline, until = deadline, awaited } = releasing;
  const { time } = host;
  let sent = false;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const lost = isHoldfastError(last.error, "INDETERMINATE");
    sent ||= lost;
    const canPass = lost || isHoldfastError(last.error, "UNAVAILABLE");
    if (!canPass || !host.isOpen() || time.monotonic() + pauseMs >= Math.max(deadline, until)) return "unknown";
    await host.pause(pauseMs, { ref: awaited && time.monotonic() < deadline });
    const now = time.monotonic();
    try {
      // One of the earlier copies may have ended the hold. Without a caller, a request has the default timeout.
      const reply = await send(releasing, lock, now < deadline ? deadline : now + host.instance.timeout);
      return wasHeld(reply) || sent ? "released" : "lost";
    } catch (later) {
      last.error = later;
    }
  }
}
