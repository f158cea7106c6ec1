import { isHoldfastError, UnavailableError } from "../../base/errors.ts";
import type { Time } from "../../base/time.ts";
import { before } from "./deadline.ts";
import { closedError } from "./failures.ts";

/** An attempt that failed sooner than this was not one that waited: it is not made again at once; in ms. */
const hasty = 250;

/** What a backend must do once before it can be used, and again once that is lost. */
export class Opening<T> {
  readonly #backend: string;
  readonly #time: Time;
  readonly #attempt: () => Promise<T>;
  #opened: T | undefined;
  #under: Promise<T> | undefined;
  #closed = false;

  /** `attempt` must end by itself: it is one that all callers share. */
  constructor(backend: string, time: Time, attempt: () => Promise<T>) {
    this.#backend = backend;
    this.#time = time;
    this.#attempt = attempt;
  }

  /** What was opened, while it is. */
  get opened(): T | undefined {
    return this.#opened;
  }

  /**
   * Opens what is not open; concurrent calls share one attempt, and one that failed may be made again. Rejects as the
   * attempt does.
   */
  async open(): Promise<T> {
    if (this.#closed) throw closedError(this.#backend);
    if (this.#opened !== undefined) return this.#opened;
    const opened = await (this.#under ??= this.#begin());
    if (this.#closed) throw closedError(this.#backend);
    return opened;
  }

  /** As {@link open}, again and again until the deadline, and no longer. Rejects with a HoldfastError. */
  async openBefore(deadline: number): Promise<T> {
    const late = (): Error => new UnavailableError("it could not be opened in time", { backend: this.#backend });
    for (;;) {
      const startedAt = this.#time.monotonic();
      try {
        return await before(this.open(), { time: this.#time, deadline, late, ref: true });
      } catch (error) {
        const now = this.#time.monotonic();
        if (now >= deadline || now - startedAt < hasty || this.#closed) throw error;
        if (!isHoldfastError(error, "UNAVAILABLE")) throw error;
      }
    }
  }

  /** What was opened is lost: the next call opens it anew. */
  lost(): void {
    this.#opened = undefined;
  }

  /** Nothing is opened any more. Resolves with what is to be closed, once no attempt is under way. */
  async close(): Promise<T | undefined> {
    this.#closed = true;
    // Why it failed is what those who asked for it are told.
    await this.#under?.catch(() => undefined);
    const opened = this.#opened;
    this.#opened = undefined;
    return opened;
  }

  async #begin(): Promise<T> {
    try {
      return (this.#opened = await this.#attempt());
    } finally {
      this.#under = undefined;
    }
  }
}
