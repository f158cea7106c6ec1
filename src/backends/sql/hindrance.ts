import type { UnavailableError } from "../../base/errors.ts";

/**
 * What kept callers from a connection until there was one: a call whose reply is late then has waited for that too, and
 * is told so.
 */
export class Hindrance {
  #problem: UnavailableError | undefined;
  /** When it was over, by `time.monotonic()`; Infinity while it is in the way. */
  #endedAt = -Infinity;

  /** What is in the way now. */
  look(problem: UnavailableError | undefined, now: number): void {
    if (problem) {
      this.#problem = problem;
      this.#endedAt = Infinity;
    } else if (this.#endedAt === Infinity) this.#endedAt = now;
  }

  /** What was in the way at some moment from `since` on. */
  since(since: number): UnavailableError | undefined {
    return this.#endedAt >= since ? this.#problem : undefined;
  }
}
