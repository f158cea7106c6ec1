import { isHoldfastError, isRefusal } from "../base/errors.ts";
import type { Ask } from "./campaign.ts";

const firstPauseMs = 20;
const longestPauseMs = 500;

/** What a campaign does about requests that fail: whether it asks again, and when. */
export class Trouble {
  #since: number | undefined;
  #pauseMs = firstPauseMs;
  #isTold = false;

  /** The store has answered. */
  over(): void {
    this.#since = undefined;
    this.#pauseMs = firstPauseMs;
    this.#isTold = false;
  }

  /**
   * The pause before it asks again, in ms; undefined where it does not. `known`: the store may know of the owner. Both times are
   * `time.monotonic()`.
   */
  pause(error: unknown, ask: Ask, known: boolean, sent: number, now: number): number | undefined {
    // A store that answers is waited for as a lock is.
    const waits = ask.waits && isRefusal(error);
    if (waits) this.#since = undefined;
    else this.#since ??= sent;
    // To ask again is safe, for it is the same owner. A first request that was not even sent is not repeated.
    const passes = isHoldfastError(error, "INDETERMINATE") || (known && isHoldfastError(error, "UNAVAILABLE"));
    const inTime = passes && this.#since !== undefined && now + this.#pauseMs < this.#since + ask.timeoutMs;
    if (!waits && !inTime) return undefined;
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, longestPauseMs);
    return pauseMs;
  }

  /** Whether nobody was told yet that the store refuses to be asked, since it last answered. */
  isNews(): boolean {
    const news = !this.#isTold;
    this.#isTold = true;
    return news;
  }
}
