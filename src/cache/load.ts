import { orAborted } from "../base/aborts.ts";
import { deferred, type Deferred } from "../base/async.ts";
import { within, type UserFunction, type UserFunctions } from "../client/index.ts";
import type { Handout } from "./isolation.ts";
import { LoadNode } from "./rings.ts";

/**
 * One run of a loader, for one key or several, and all who wait for it. What it holds goes with it: nothing outlives a
 * load.
 */
export class Load<V> {
  readonly #controller = new AbortController();
  readonly #node: LoadNode;
  readonly #userFunction: UserFunction;
  readonly #givenUp = deferred<never>();
  readonly #values = new Map<string, Deferred<Handout<V> | undefined>>();
  /** Keys whose value is not known yet. */
  readonly #open = new Set<string>();
  #waiting = 0;

  /** Starts a run, which is over by {@link end}. `cache` is the name that an error says. */
  constructor(userFunctions: UserFunctions, cache: string, keys: readonly string[]) {
    this.#node = new LoadNode(cache, keys);
    this.#userFunction = userFunctions.start(this.#node);
    this.#givenUp.promise.catch(() => undefined);
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
   * Waits for the value of a key, undefined where there is none. Rejects with the signal's reason when the caller gives
   * up, and with LoadDeadlockError where the caller is a loader that this load waits for.
   */
  async join(key: string, signal: AbortSignal | undefined): Promise<Handout<V> | undefined> {
    const { promise } = this.#values.get(key) as Deferred<Handout<V> | undefined>;
    const leave = this.#node.join(key);
    this.#waiting++;
    try {
      return await (signal ? orAborted(promise, signal) : promise);
    } finally {
      leave?.();
      if (--this.#waiting === 0 && this.#open.size > 0) this.#controller.abort(signal?.reason);
    }
  }

  /** Throws LoadDeadlockError where {@link join} would. */
  refuseRing(key: string): void {
    this.#node.refuseRing(key);
  }

  /** Runs the loader, until it ends or the load is given up: what it gives then is dropped. */
  async run<T>(loader: () => Promise<T>): Promise<T> {
    try {
      return await Promise.race([within(this.#userFunction, loader), this.#givenUp.promise]);
    } finally {
      this.#node.end();
    }
  }

  /** All of it is over: closing waits for it no longer. */
  end(): void {
    this.#userFunction.owner.end(this.#userFunction);
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

  /**
   * Gives the load up: its waiters get `reason`, and so does the loader's signal. Nothing happens once all values are
   * known.
   */
  giveUp(reason: unknown): void {
    if (this.#open.size === 0) return;
    this.fail(reason);
    this.#controller.abort(reason);
    this.#givenUp.reject(reason);
  }
}
