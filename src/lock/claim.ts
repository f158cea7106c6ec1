import type { LockState } from "../port/index.ts";
import { marginMs, passedMs, type Moment } from "./margin.ts";

/** How long a place in the store's queue, or a grant to a waiter, lasts unless it is refreshed, in ms. */
export const claimMs = 2_000;
/**
 * A lease that began under a claim is extended after this time, in ms. Most leases are over by then, and need no
 * extension.
 */
export const claimedMs = 10;
/** A lease may begin under a claim while this much of it is left, in ms: enough to extend it in. */
export const leastClaimMs = claimMs / 4;

/**
 * The claim of one contender for an exclusive lock: how long a grant that was announced lasts before an `acquire` has
 * confirmed it. It counts from before the last request that the store refused, and so from before the grant. An
 * announced grant that had ended by then is recognised by the holder at that time, whose grant is higher: while the
 * announced grant lasted, there was no other holder.
 */
export class Claim {
  /** When the contender was last known not to hold the lock, and the highest grant of the holders then. */
  #since: Moment | undefined;
  #grant = 0;

  /** A request is sent at that moment. */
  asked(sent: Moment): void {
    this.#since ??= sent;
  }

  /** The store has refused a request that was sent at that moment. */
  refused(sent: Moment, { holders }: LockState): void {
    if (holders.length === 0) return;
    this.#since = sent;
    this.#grant = Math.max(...holders.map(({ grant }) => grant));
  }

  /**
   * The moment from which the claim of a grant that was announced now counts; undefined if no lease may begin under it.
   */
  begins(grant: number, now: Moment): Moment | undefined {
    const since = this.#since;
    if (!since || grant <= this.#grant) return undefined;
    return passedMs(since, now) < claimMs - marginMs(claimMs) - leastClaimMs ? since : undefined;
  }
}
