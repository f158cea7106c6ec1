import { onAbort } from "../base/aborts.ts";
import { UnavailableError } from "../base/errors.ts";
import type { Closing, Instance } from "../client/index.ts";

/** The functions of the application that run inside of an instance's updates and transactions: they end before it closes. */
export class Running implements Closing {
  readonly #backend: string;
  readonly #stops = new Set<(error: Error) => void>();
  #count = 0;
  #onIdle: (() => void)[] = [];
  #ended: UnavailableError | undefined;

  constructor(instance: Instance) {
    this.#backend = instance.backend.name;
    instance.register(this);
  }

  /** Throws UnavailableError once those that ran were ended: no function starts from then on. */
  assertLive(): void {
    if (this.#ended) throw this.#ended;
  }

  /** A call that runs functions starts. */
  enter(): void {
    this.#count++;
  }

  /** It is over. */
  leave(): void {
    if (--this.#count > 0) return;
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const resolve of waiting) resolve();
  }

  /** What a function gives, unless the signal or the instance's end comes first; it then runs on unobserved. */
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

  async drain(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  async end(): Promise<void> {
    const error = new UnavailableError("the instance was closed while the function ran: nothing was written", {
      backend: this.#backend,
    });
    this.#ended = error;
    for (const stop of this.#stops) stop(error);
  }
}
