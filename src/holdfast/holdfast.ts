// `connect`, and the facade that it gives.
//
// - `connect` loads `reach.ts` on first use. That finds the backends of its URLs (`registry.ts`), opens an `Instance`
//   on each, and makes a `Holdfast`.
// - `Holdfast` makes stores, caches and locks by name (`Handles` gives the same one again for the same options), and
//   closes the instances, and the backends that `connect` made.
// - `backendOf` gives the backend of a URL without a Holdfast. `definition.ts` checks the definition of a backend.
// - `examine` loads `examine-target.ts`, which asks a backend about itself: it is what `holdfast doctor` prints.
// - `migrate` loads `migrate-target.ts`, which has a backend make its tables: it is what `holdfast migrate` does.
// - `tokens.ts` has the classes as the package exports them, which loads none of them.
// - `closing.ts` makes the close of a backend close first what constructors made on it.

import { markClass } from "../base/classes.ts";
import { isAway } from "../base/errors.ts";
import { space } from "../base/keys.ts";
import { WeakNames } from "../base/weak-names.ts";
import { Cache, CacheParts, type CacheOptions } from "../cache/index.ts";
import { Instance, type CallOptions, type HoldfastEvents } from "../client/index.ts";
import { Lock, type LockOptions } from "../lock/index.ts";
import type { Capabilities, Opened } from "../port/index.ts";
import {
  StateStore,
  transact,
  transactionFactory,
  type StateStoreOptions,
  type TransactOptions,
  type Transaction,
} from "../state/index.ts";
import { Handles } from "./handles.ts";
import type { ConnectSettings } from "./options.ts";
import { closeOwn, type Reached } from "./registry.ts";

/** What a name's options are without what `connect` gives them. */
type Own<Options> = Omit<Options, "service" | "transactions">;

/**
 * One instance of an application: its stores, caches and locks in one place. Made by `connect`.
 *
 * What `state`, `cache` and `lock` give is a handle: its options are its own, and handles of one name are one store,
 * cache or lock. What a call does never depends on who asked for that name before. So where entries have a codec, a
 * schema or versions, make the handle once and share it. What a process has once of each cache (`maxItems`, `isolate`
 * and `codec`) is as its first handle says; a later one that says otherwise is refused with InvalidArgumentError. Names
 * should be few and known when the program is written; keys vary.
 */
export class Holdfast {
  static {
    markClass("Holdfast", Holdfast);
  }

  /** The service that was given to `connect`. */
  readonly service: string;
  /** The backend's name, such as `"lmdb"`. */
  readonly backend: string;
  /** An id kept in the store: two instances with the same domain see the same records. */
  readonly domain: string;
  /** What the backend promises. */
  readonly capabilities: Capabilities;
  readonly #main: Instance;
  readonly #caches: Instance;
  readonly #settings: ConnectSettings;
  readonly #own: readonly Reached[];
  readonly #stateStores = new Handles<StateStore<unknown>>();
  readonly #cacheHandles = new Handles<Cache>();
  readonly #cacheParts = new WeakNames<CacheParts>();
  readonly #locks = new Handles<Lock<Transaction>>();
  #closed: Promise<void> | undefined;

  /** @internal */
  constructor(parts: Parts, opened: Opened, settings: ConnectSettings) {
    this.service = settings.service;
    this.backend = parts.main.backend.name;
    this.domain = opened.domain;
    this.capabilities = opened.capabilities;
    this.#main = parts.main;
    this.#caches = parts.caches;
    this.#own = parts.reached;
    this.#settings = settings;
  }

  /** A handle of the state store of that name. No I/O. Throws InvalidArgumentError. */
  state<T = unknown>(name: string, options?: Own<StateStoreOptions<T>>): StateStore<T> {
    const make = (own?: Own<StateStoreOptions<T>>): StateStore<unknown> =>
      new StateStore<T>(this.#main, name, { ...own, service: this.service });
    return this.#stateStores.get(name, options, make) as StateStore<T>;
  }

  /**
   * A handle of the cache of that name. No I/O. Throws InvalidArgumentError, also for options that all handles of a
   * cache share and that differ.
   */
  cache<V = unknown>(name: string, options?: Own<CacheOptions>): Cache<V> {
    const make = (own?: Own<CacheOptions>): Cache => {
      const all = { ...own, service: this.service };
      let parts = this.#cacheParts.get(name);
      if (!parts) this.#cacheParts.set(name, (parts = new CacheParts(this.#caches, name, all)));
      return new Cache(this.#caches, name, all, parts);
    };
    return this.#cacheHandles.get(name, options, make) as Cache<V>;
  }

  /** A handle of the locks of that name. No I/O. Throws InvalidArgumentError. */
  lock(name: string, options?: Own<LockOptions>): Lock<Transaction> {
    const make = (own?: Own<LockOptions>): Lock<Transaction> => {
      const transactions = transactionFactory(this.#main);
      return new Lock(this.#main, name, { ...own, service: this.service, transactions });
    };
    return this.#locks.get(name, options, make);
  }

  /**
   * Runs `fn`, and commits what it wrote through `tx` as one atomic step, if nothing that it read has changed. Else
   * runs it again, until the timeout; after its second conflict it waits for its turn, first come first served. If `fn`
   * throws, nothing is written and its error is thrown.
   *
   * Rejects with ConflictError (others kept changing what it read; `tries` says how often it was tried), FencedError
   * (with `lease`), UnsupportedError where the backend cannot write these keys together, IndeterminateError, or what
   * `fn` throws.
   */
  transact<R>(fn: (tx: Transaction) => R | Promise<R>, options?: TransactOptions): Promise<R> {
    return transact(this.#main, fn, options);
  }

  /** Calls `listener` for each event of that name until the returned function is called. */
  on<Name extends keyof HoldfastEvents>(event: Name, listener: (event: HoldfastEvents[Name]) => void): () => void {
    const ends = this.#instances().map((instance) => instance.events.on(event, listener));
    return () => {
      for (const end of ends) end();
    };
  }

  /**
   * Reads from the store, and from the store of the caches if it is another one. Resolves with the time it took, in ms.
   * Rejects with UnavailableError if a store does not answer within the timeout, and with the signal's reason when
   * aborted.
   */
  async ping(options?: CallOptions): Promise<number> {
    const key = { space: space("state", this.service, "ping"), key: "ping" };
    const start = this.#main.time.monotonic();
    await Promise.all(
      this.#instances().map(async (instance) =>
        instance.execute({ ops: [{ op: "get", key }] }, instance.call(options)),
      ),
    );
    return this.#main.time.monotonic() - start;
  }

  /**
   * Refuses new work, lets running functions finish for at most `drain`, aborts the rest (a lease's `signal` says `why:
   * "closed"`), releases what is held, and closes what `connect` opened. A backend that was handed in stays open. The
   * `signal` of an election aborts at once.
   *
   * It does not wait for functions from inside of which it is called, for they wait for it: their leases end, and their
   * writes and loads are refused with UnavailableError. Idempotent. Later calls of the instance reject with
   * UnavailableError.
   */
  close(): Promise<void> {
    for (const instance of this.#instances()) instance.userFunctions.exempt();
    return (this.#closed ??= this.#close());
  }

  /** As {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.all(this.#instances().map(async (instance) => instance.close(this.#settings.drain)));
    await closeOwn(this.#own);
  }

  #instances(): readonly Instance[] {
    return this.#caches === this.#main ? [this.#main] : [this.#main, this.#caches];
  }
}

/** The parts of a Holdfast. */
interface Parts {
  readonly main: Instance;
  /** The same, or another one. */
  readonly caches: Instance;
  readonly reached: readonly Reached[];
}

/**
 * Makes a Holdfast on the backends that were reached, once all of them answer. If the caches have a backend of their
 * own, it is the last. If it is away, the Holdfast goes on without it, as it would if it went away later.
 */
export async function openHoldfast(reached: readonly Reached[], settings: ConnectSettings): Promise<Holdfast> {
  const instances = reached.map(({ backend }) => new Instance(backend, { timeout: settings.timeout }));
  const open = async (instance: Instance, i: number): Promise<Opened | undefined> => {
    try {
      return await instance.opened(instance.ownCall());
    } catch (error) {
      if (i > 0 && isAway(error)) return undefined;
      throw error;
    }
  };
  try {
    const [opened] = await Promise.all(instances.map(open));
    const main = instances[0] as Instance;
    return new Holdfast({ main, caches: instances[1] ?? main, reached }, opened as Opened, settings);
  } catch (error) {
    await Promise.all(instances.map(async (instance) => instance.close(0)));
    throw error;
  }
}
