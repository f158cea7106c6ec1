import { isRefusal, UnavailableError, type HoldfastError } from "../../base/errors.ts";
import type { Time, Timer } from "../../base/time.ts";

/** A caller that waits. */
interface Pending {
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

/** Pending callers of a connection: so many at the most, each until its deadline. They keep the process alive. */
export class Awaited {
  readonly #backend: string;
  readonly #time: Time;
  readonly #most: number;
  readonly #waiting = new Set<Pending>();

  constructor(backend: string, time: Time, most: number) {
    this.#backend = backend;
    this.#time = time;
    this.#most = most;
  }

  /** Resolves when `done` says so, which is asked now and at every {@link look}. */
  wait(deadline: number, asks: Pick<Pending, "done" | "failed" | "problem">): Promise<void> {
    if (asks.done()) return Promise.resolve();
    const failed = asks.failed();
    if (failed) return Promise.reject(failed);
    if (this.#waiting.size >= this.#most) {
      return Promise.reject(
        new UnavailableError(`no connection, and ${this.#most} callers wait for one already`, {
          backend: this.#backend,
        }),
      );
    }
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(caller);
        caller.timer.clear();
      };
      const expire = (): void => {
        end();
        reject(lateError(this.#backend, asks.problem()));
      };
      const caller: Pending = {
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
      this.#waiting.add(caller);
    });
  }

  /** Something has changed: lets go of those whose wait is over. */
  look(): void {
    for (const caller of [...this.#waiting]) {
      if (caller.done()) {
        caller.resolve();
        continue;
      }
      const failed = caller.failed();
      if (failed) caller.reject(failed);
    }
  }
}

function lateError(backend: string, problem: HoldfastError | undefined): UnavailableError {
  if (!problem) return new UnavailableError("no connection within the time given", { backend });
  return new UnavailableError(`no connection within the time given: ${problem.message}`, {
    backend,
    cause: problem,
    refused: isRefusal(problem),
  });
}
