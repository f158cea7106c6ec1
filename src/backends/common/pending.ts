import { UnavailableError } from "../../base/errors.ts";

/** Callers that were let in together. */
export interface Stay {
  /** How many of them there was room for: the first. */
  readonly admitted: number;
  /** They wait no longer. Idempotent. */
  leave(): void;
}

/** The pending callers of a backend: those of all its sessions that wait for a connection. So many at the most. */
export class PendingCallers {
  readonly #backend: string;
  readonly #most: number;
  #inside = 0;

  constructor(backend: string, most: number) {
    this.#backend = backend;
    this.#most = most;
  }

  enter(callers: number): Stay {
    const admitted = Math.min(callers, this.#most - this.#inside);
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
    const message = `no connection, and ${this.#most} calls wait for one already`;
    return new UnavailableError(message, { backend: this.#backend });
  }
}
