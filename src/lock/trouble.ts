import { isHoldfastError, isRefusal } from "../base/errors.ts";

/** After a reply that was lost it asks again at once, as its connection often was. After another one it pauses. */
const firstPauseMs = 20;
const longestPauseMs = 500;

/** The request that failed. */
interface Failed {
  /** Whether it waits for the lock. */
  readonly waits: boolean;
  readonly timeoutMs: number;
}

/** The failed requests of a campaign: decides whether it asks again, and when. */
export class Trouble {
  #since: number | undefined;
  /** Whether the store has ever answered, if only by a refusal. */
  #answered = false;
  #pauseMs = 0;
  #isReported = false;

  /** The store has answered. */
  over(): void {
    this.#answered = true;
    this.#since = undefined;
    this.#pauseMs = 0;
    this.#isReported = false;
  }

  /**
   * The pause before the campaign asks again, in ms; undefined if it does not. `known` says whether the store may know
   * the owner. `sent` and `now` are by `time.monotonic()`.
   */
  pause(error: unknown, { waits, timeoutMs }: Failed, known: boolean, sent: number, now: number): number | undefined {
    // A store that answers but refuses is waited for as a lock is.
    const waitsOn = waits && isRefusal(error);
    const isLost = isHoldfastError(error, "INDETERMINATE");
    this.#answered ||= waitsOn;
    // A reply that took all its time to be lost is no reason to end a wait that the store knows of: another server may
    // answer by now.
    if (waitsOn) this.#since = undefined;
    else this.#since ??= waits && isLost && this.#answered ? now : sent;
    // It is safe to ask again, for the owner is the same. A first request that was not even sent is not repeated.
    const passes = isLost || (known && isHoldfastError(error, "UNAVAILABLE"));
    const inTime = passes && this.#since !== undefined && now + this.#pauseMs < this.#since + timeoutMs;
    if (!waitsOn && !inTime) return undefined;
    const pauseMs = waitsOn ? Math.max(this.#pauseMs, firstPauseMs) : this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs || firstPauseMs, longestPauseMs);
    return pauseMs;
  }

  /** Whether this refusal of the store is the first one to report since the store last answered. */
  isNews(): boolean {
    const news = !this.#isReported;
    this.#isReported = true;
    return news;
  }
}
