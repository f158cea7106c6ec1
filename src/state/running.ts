import { onAbort } from "../base/aborts.ts";
import { UnavailableError } from "../base/errors.ts";
import type { Closing, Instance } from "../client/index.ts";

/**
 * The functions of the application inside of an instance's updates and transactions. They end with the instance at the
 * latest.
 */
export class Running implements Closing {
  readonly #backend: string;
  readonly #stops = new Set<(error: Error) => void>();
  #ended: UnavailableError | undefined;

  constructor(instance: Instance) {
    this.#backend = instance.backend.name;
    instance.register(this);
  }

  /** Throws UnavailableError once the instance has ended. No function starts from then on. */
  assertLive(): void {
    if (this.#ended) throw this.#ended;
  }

  /**
   * The result of a function, unless the signal or the end of the instance comes first. The function then runs on
   * unobserved.
   */
  until<R>(work: PromiseLike<R>, signal: AbortSignal | undefined): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const stop = (error: Error): void => {
        undo();
        reject(error);
      };
      const aborted = (): void => stop(signal?.reason as Error);
      const undo = (): void => {
        this.#stops.delete(stop);
        unheard();
      };
      this.#stops.add(stop);
      const unheard = onAbort(signal, aborted);
      if (signal?.aborted) aborted();
      else if (this.#ended) stop(this.#ended);
      work.then((value) => {
        undo();
        resolve(value);
      }, stop);
    });
  }

  async end(): Promise<void> {
    const error = new UnavailableError("the instance was closed while the function ran: nothing was written", {
      backend: this.#backend,
    });
    this.#ended = error;
    for (const stop of this.#stops) stop(error);
  }
}
