import type { HoldfastError } from "../../base/errors.ts";
import type { Time, Timer } from "../../base/time.ts";

/**
 * Pauses between attempts, in ms: the first comes soon, then they double up to the longest. Each is shortened by up to
 * a half.
 */
const firstPause = 50;
const longestPause = 2_000;
/** The loss of a connection that lived shorter does not start the pauses anew, in ms. */
const shortLife = 1_000;
/** After an attempt that showed that none will work, the next one is not made before, in ms. */
const finalPause = 1_000;
/** How long the requests of a connection that was replaced may still wait for their replies, in ms. */
export const retirement = 5_000;

/** A connection that is open. */
export interface Link {
  /** Ends it; those whose requests are pending are told `why`. */
  close(why?: unknown): void;
  /** Takes no more requests, and closes once all are answered, after `ms` at the latest. */
  retire(ms: number): void;
}

/** One attempt to connect, which bounds its own time. */
export interface Attempt<L extends Link> {
  /** Rejects with why it failed, also where it was abandoned; what it has opened is closed then. */
  establish(): Promise<L>;
  /** Ends it before its time. */
  abandon(why: Error): void;
}

/** What a failed attempt, or the loss of a connection, means. */
export interface Failure {
  readonly error: HoldfastError;
  /** Later attempts fail alike: nobody needs to wait. */
  readonly final: boolean;
}

/** What is to be kept connected. */
export interface ReconnectingOptions<L extends Link, A extends Attempt<L>> {
  readonly time: Time;
  /** A new attempt. `isNew`: there was no connection before. */
  attempt(isNew: boolean): A;
  /** What an error means: of that attempt, or without one of the connection that was lost. */
  meaning(error: unknown, attempt: A | undefined, isNew: boolean): Failure;
  /**
   * Whether it tries again by itself also after a failure that was final, with the longest pause. Asked each time;
   * default: no.
   */
  persists?: (() => boolean) | undefined;
  /** A connection is there. Called before {@link changed}. */
  opened(link: L, attempt: A): void;
  /** Called after each change: it is open, it was lost, an attempt failed, it was closed. */
  changed(): void;
}

/**
 * One connection that is made anew after a loss, by attempts with pauses between them. It begins with {@link start},
 * and does not keep the process alive by itself.
 */
export class Reconnecting<L extends Link, A extends Attempt<L>> {
  readonly #options: ReconnectingOptions<L, A>;
  #link: L | undefined;
  #openedAt: number | undefined;
  #attempting: A | undefined;
  /** An attempt that leads to where nobody wants to go any more: another one follows it at once. */
  #outdated: A | undefined;
  /** Attempts that failed in a row. */
  #inARow = 0;
  #failures = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #retiredAt = Number.NEGATIVE_INFINITY;
  #problem: HoldfastError | undefined;
  #final = false;
  #closed = false;
  #pause: Timer | undefined;

  constructor(options: ReconnectingOptions<L, A>) {
    this.#options = options;
  }

  /** The open connection. */
  get link(): L | undefined {
    return this.#link;
  }

  /** The attempt that is under way. */
  get attempting(): A | undefined {
    return this.#attempting;
  }

  /**
   * Why the last attempt failed, or the connection was lost; undefined while it is open, and before the first attempt
   * has ended.
   */
  get problem(): HoldfastError | undefined {
    return this.#problem;
  }

  /** How many attempts have failed. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether waiting is of no use: the last attempt showed that none will work. */
  get hopeless(): boolean {
    return this.#final && !this.#attempting;
  }

  /** Begins to connect, if it has not. After a failure that was final it tries again, but not at once. */
  start(): void {
    if (this.#closed || this.#link || this.#attempting) return;
    if (this.#final) {
      if (this.#options.time.monotonic() - this.#failedAt < finalPause) return;
    } else if (this.#pause) return;
    this.#attemptNow();
  }

  /**
   * Takes no more requests on the present connection and makes a new one; what is pending may still be answered. An
   * attempt under way begins anew, and a pause ends.
   */
  renew(): void {
    if (this.#closed) return;
    const attempt = this.#attempting;
    if (attempt) {
      this.#outdated = attempt;
      attempt.abandon(new Error("abandoned"));
      return;
    }
    const link = this.#link;
    if (!link) {
      if (!this.#pause) return;
      this.#inARow = 0;
      this.#attemptNow();
      return;
    }
    const now = this.#options.time.monotonic();
    if (now - this.#retiredAt < shortLife) return;
    this.#retiredAt = now;
    this.#link = undefined;
    link.retire(retirement);
    this.#options.changed();
    this.#retry();
  }

  /** There is reason to believe that the server is there again: does not wait for the next attempt. */
  hurry(): void {
    if (this.#pause && !this.#final) this.#attemptNow();
  }

  /** A connection has failed. Ends it; another one is made if it was the present one. */
  lost(link: L, why: unknown): void {
    link.close(why);
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#problem = this.#options.meaning(why, undefined, false).error;
    if (this.#options.time.monotonic() - (this.#openedAt ?? 0) >= shortLife) this.#inARow = 0;
    this.#retry();
    this.#options.changed();
  }

  /** Ends it. With `ms`, what is pending may still be answered for so long. */
  close(ms?: number): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pause?.clear();
    this.#attempting?.abandon(new Error("closed"));
    if (ms === undefined) this.#link?.close();
    else this.#link?.retire(ms);
    this.#link = undefined;
    this.#options.changed();
  }

  /** Without the pause before it, if there is one. */
  #attemptNow(): void {
    this.#pause?.clear();
    this.#pause = undefined;
    void this.#attempt();
  }

  async #attempt(): Promise<void> {
    const { time, changed, meaning, opened, persists } = this.#options;
    const isNew = this.#openedAt === undefined;
    const attempt = this.#options.attempt(isNew);
    this.#attempting = attempt;
    try {
      const link = await attempt.establish();
      if (this.#outdated === attempt || this.#closed) {
        link.close();
        throw new Error("abandoned");
      }
      this.#attempting = undefined;
      this.#link = link;
      this.#openedAt = time.monotonic();
      this.#problem = undefined;
      this.#final = false;
      opened(link, attempt);
    } catch (error) {
      this.#attempting = undefined;
      if (this.#closed) return;
      if (this.#outdated === attempt) {
        void this.#attempt();
        return;
      }
      const failure = meaning(error, attempt, isNew);
      this.#problem = failure.error;
      this.#final = failure.final;
      this.#failedAt = time.monotonic();
      this.#failures++;
      this.#inARow++;
      if (!this.#final) this.#retry();
      else if (persists) this.#retry(Infinity);
    }
    changed();
  }

  #retry(attempts = this.#inARow): void {
    if (this.#closed || this.#attempting || this.#pause) return;
    this.#pause = this.#options.time.after(pauseBefore(attempts), () => {
      this.#pause = undefined;
      if (!this.#final || this.#options.persists?.()) void this.#attempt();
    });
  }
}

/** How long to wait, in ms, after so many attempts that failed in a row. */
function pauseBefore(attempts: number): number {
  return Math.min(firstPause * 2 ** attempts, longestPause) * (0.5 + Math.random() / 2);
}
