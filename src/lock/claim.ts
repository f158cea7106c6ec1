import type { LockState } from "../port/index.ts";
import { marginMs, passedMs, type Moment } from "./margin.ts";

/** How long a waiter's place in the store's queue, and a grant handed to it, last unless refreshed, in ms. */
export const claimMs = 2_000;
/** A lease that began under a claim is extended after so many ms: most turns are over by then, and need it not. */
export const claimedMs = 10;
/** A lease begins under a claim while so much of it is left, in ms: enough to extend it in. */
export const leastClaimMs = claimMs / 4;

/**
 * The claim of one waiter for an exclusive lock: what a grant that is told is worth before an `acquire` has confirmed
 * it. It is counted from before the last request that the store refused, so from before the grant. A grant that had
 * ended by then is found out by whoever held the lock at that time, for theirs is higher: no other holder was there
 * while it lasted.
 */
export class Claim {
  /** When the waiter was last known not to hold the lock, and the highest grant of who held it then. */
  #since: Moment | undefined;
  #grant = 0;

  /** A request is sent. */
  asked(sent: Moment): void {
    this.#since ??= sent;
  }

  /** The store has refused a request that was sent then. */
  refused(sent: Moment, { holders }: LockState): void {
    if (holders.length === 0) return;
    this.#since = sent;
    this.#grant = Math.max(...holders.map(({ grant }) => grant));
  }

  /** From when on the claim of a grant that was told now counts, if a lease may begin under it. */
  begins(grant: number, now: Moment): Moment | undefined {
    const since = this.#since;
    if (!since || grant <= this.#grant) return undefined;
    return passedMs(since, now) < claimMs - marginMs(claimMs) - leastClaimMs ? since : undefined;
  }
}
