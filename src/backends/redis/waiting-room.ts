import { UnavailableError } from "../../base/errors.ts";

/** Calls that were let in together. */
export interface Stay {
  /** How many of them there was room for: the first. */
  readonly admitted: number;
  /** They wait no longer. Idempotent. */
  leave(): void;
}

/**
 * The calls of all sessions of a backend that wait for a connection, whether there has been one before or not: so many
 * at the most. A call that finds one there never comes here.
 */
export class WaitingRoom {
  readonly #most: number;
  #inside = 0;

  constructor(most: number) {
    this.#most = most;
  }

  enter(calls: number): Stay {
    const admitted = Math.min(calls, this.#most - this.#inside);
    this.#inside += admitted;
    let over = false;
    return {
      admitted,
      leave: () => {
        if (!over) this.#inside -= admitted;
        over = true;
      },
    };
  }

  /** What those are told who are not let in. */
  full(): UnavailableError {
    return new UnavailableError(`no connection, and ${this.#most} calls wait for one already`, { backend: "redis" });
  }
}
