import { isRefusal, UnavailableError, type HoldfastError } from "../../../base/errors.ts";
import type { Time, Timer } from "../../../base/time.ts";
import { BACKEND } from "./failures.ts";

interface Waiter {
  /** Whether what it waits for is there. */
  done(): boolean;
  /** An error if it never will be. */
  failed(): HoldfastError | undefined;
  /** What is in the way, for the error at the deadline. */
  problem(): HoldfastError | undefined;
  resolve(): void;
  reject(error: HoldfastError): void;
  readonly timer: Timer;
}

/** Callers that wait for a connection: so many at the most, each until its deadline. They keep the process alive. */
export class Waiters {
  readonly #time: Time;
  readonly #most: number;
  readonly #waiting = new Set<Waiter>();

  constructor(time: Time, most: number) {
    this.#time = time;
    this.#most = most;
  }

  /** Resolves when `done` says so, which is asked now and at every {@link look}. */
  wait(deadline: number, asks: Pick<Waiter, "done" | "failed" | "problem">): Promise<void> {
    if (asks.done()) return Promise.resolve();
    const failed = asks.failed();
    if (failed) return Promise.reject(failed);
    if (this.#waiting.size >= this.#most) {
      return Promise.reject(
        new UnavailableError(`no connection, and ${this.#most} callers wait for one already`, { backend: BACKEND }),
      );
    }
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(waiter);
        waiter.timer.clear();
      };
      const expire = (): void => {
        end();
        reject(lateError(asks.problem()));
      };
      const waiter: Waiter = {
        ...asks,
        resolve: () => {
          end();
          resolve();
        },
        reject: (error) => {
          end();
          reject(error);
        },
        timer: this.#time.after(deadline - this.#time.monotonic(), expire, { ref: true }),
      };
      this.#waiting.add(waiter);
    });
  }

  /** Something has changed: lets go of those whose wait is over. */
  look(): void {
    for (const waiter of [...this.#waiting]) {
      if (waiter.done()) {
        waiter.resolve();
        continue;
      }
      const failed = waiter.failed();
      if (failed) waiter.reject(failed);
    }
  }
}

function lateError(problem: HoldfastError | undefined): UnavailableError {
  if (!problem) return new UnavailableError("no connection within the time given", { backend: BACKEND });
  return new UnavailableError(`no connection within the time given: ${problem.message}`, {
    backend: BACKEND,
    cause: problem,
    refused: isRefusal(problem),
  });
}
