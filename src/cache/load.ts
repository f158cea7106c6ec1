import { onAbort } from "../base/aborts.ts";
import { deferred, type Deferred } from "../base/async.ts";
import type { Handout } from "./isolation.ts";

/** One run of a loader, for one key or several, and all who wait for it. */
export class Load<V> {
  readonly #controller = new AbortController();
  readonly #values = new Map<string, Deferred<Handout<V> | undefined>>();
  /** Keys whose value is not known yet. */
  readonly #open = new Set<string>();
  #waiting = 0;

  constructor(keys: readonly string[]) {
    for (const key of keys) {
      const value = deferred<Handout<V> | undefined>();
      // A load that everybody has left may fail with nobody to tell: its event tells it.
      value.promise.catch(() => undefined);
      this.#values.set(key, value);
      this.#open.add(key);
    }
  }

  /** Aborts when nobody waits any more, or when the load is given up. Not once all values are known. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Waits for the value of a key, undefined where there is none. Rejects with the signal's reason when the caller gives up.
   */
  async join(key: string, signal: AbortSignal | undefined): Promise<Handout<V> | undefined> {
    const { promise } = this.#values.get(key) as Deferred<Handout<V> | undefined>;
    this.#waiting++;
    let unheard: (() => void) | undefined;
    try {
      if (!signal) return await promise;
      const left = new Promise<never>((_, reject) => {
        const abort = (): void => reject(signal.reason as Error);
        unheard = onAbort(signal, abort);
        if (signal.aborted) abort();
      });
      return await Promise.race([promise, left]);
    } finally {
      unheard?.();
      if (--this.#waiting === 0 && this.#open.size > 0) this.#controller.abort(signal?.reason);
    }
  }

  settle(key: string, value: Handout<V> | undefined): void {
    this.#open.delete(key);
    this.#values.get(key)?.resolve(value);
  }

  /** Ends the wait for every value that is not known yet. */
  fail(error: unknown): void {
    for (const key of this.#open) this.#values.get(key)?.reject(error);
    this.#open.clear();
  }

  /** Gives the load up: its waiters get `reason`, and so does the loader's signal. */
  abort(reason: unknown): void {
    this.fail(reason);
    this.#controller.abort(reason);
  }
}
