import { markClass } from "../base/classes.ts";
import type { Duration } from "../base/durations.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import type { CallOptions, Instance } from "../client/index.ts";
import type { OwnConnection } from "../port/index.ts";
import { deleteMany, loadEntries, saveMany } from "./many.ts";
import { StoreCore } from "./core.ts";
import type { Change, Entry, Version } from "./entry.ts";
import { clear, count, list, listKeys, listPage } from "./listing.ts";
import { modify } from "./modify.ts";
import { OwnStateStore } from "./own-store.ts";
import {
  checkFunction,
  type ClearOptions,
  type CountOptions,
  type DeleteManyOptions,
  type DeleteOptions,
  type EntryPage,
  type ListOptions,
  type ListPageOptions,
  type LoadEntryOptions,
  type SaveEntry,
  type SaveManyOptions,
  type SaveOptions,
  type StateStoreOptions,
  type TakeOptions,
  type TouchOptions,
  type UpdateOptions,
  type UpsertOptions,
  type WatchOptions,
} from "./options.ts";
import { has, load, loadEntry, remove, save, touch } from "./single-key.ts";
import { KEEP, type Verdict } from "./symbols.ts";
import { take } from "./taking.ts";
import { watch } from "./watching.ts";

/** Set by the class, which alone can read its private field. */
let open: <T>(store: StateStore<T>) => StoreCore<T> | undefined;

/** The inside of a store, for calls on several stores. Throws InvalidArgumentError for anything but a store. */
export function coreOf<T>(store: StateStore<T>): StoreCore<T> {
  const core = typeof store === "object" && store !== null ? open(store) : undefined;
  if (!core) throw new InvalidArgumentError("store must be a StateStore of this copy of the package");
  return core;
}

/**
 * Entries by key, all of one type. A loaded value equals the saved one and is an independent copy. No update is lost.
 *
 * Every call takes a `signal` and a `timeout`. It rejects with InvalidArgumentError for bad input, with
 * UnavailableError if the store could not be asked and nothing happened, and, if it writes, with IndeterminateError if
 * its outcome is unknown.
 */
export class StateStore<T> {
  readonly #core: StoreCore<T>;

  static {
    markClass("StateStore", StateStore);
    open = (store) => (#core in store ? store.#core : undefined);
  }

  /** A store of an instance. Services get theirs from `connect` or the class of a backend. No I/O. */
  constructor(instance: Instance, name: string, options?: StateStoreOptions<T>) {
    this.#core = new StoreCore(instance, name, options);
  }

  /** The name of the store. */
  get name(): string {
    return this.#core.source.name;
  }

  /** The service that its entries belong to. */
  get service(): string {
    return this.#core.source.service;
  }

  /**
   * The value of a key, or `undefined`. Rejects with CorruptValueError or SchemaVersionError for an entry that this
   * code cannot read. The entry stays as it is.
   */
  load(key: string, options?: CallOptions): Promise<T | undefined> {
    const core = this.#core;
    return core.observed ? core.observe("load", () => load(core, key, options)) : load(core, key, options);
  }

  /**
   * The entry of a key, with its version, or `undefined`. With a `lease`, rejects with FencedError unless it is held.
   * If another server keeps the entry, it then refuses every earlier lease.
   */
  loadEntry(key: string, options?: LoadEntryOptions): Promise<Entry<T> | undefined> {
    return this.#core.observe("loadEntry", () => loadEntry(this.#core, key, options));
  }

  /** The values of those keys that have an entry, in one request. */
  async loadMany(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, T>> {
    const entries = await this.#core.observe("loadMany", () => loadEntries(this.#core, keys, options));
    return new Map(Array.from(entries.values(), ({ key, value }) => [key, value]));
  }

  /** The entries of those keys that have one, in one request. */
  loadEntries(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, Entry<T>>> {
    return this.#core.observe("loadEntries", () => loadEntries(this.#core, keys, options));
  }

  /** Whether there is an entry. Its value is not transferred, and not checked. */
  has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#core.observe("has", () => has(this.#core, key, options));
  }

  /**
   * Writes an entry, and gives its version. It takes a copy of the value at once. Rejects with ConflictError (`if` does
   * not hold), FencedError (`lease` is over) or UnsupportedValueError, and has then written nothing.
   */
  save(key: string, value: T, options?: SaveOptions): Promise<Version> {
    const core = this.#core;
    if (!core.observed) return save(core, key, value, options);
    return core.observe("save", () => save(core, key, value, options));
  }

  /**
   * Writes entries independently of each other, in one request, and gives their versions. Bad input refuses all of
   * them. Otherwise BatchError has the outcome of each, and those that succeeded stay.
   */
  saveMany(entries: Iterable<readonly [string, T] | SaveEntry<T>>, options?: SaveManyOptions): Promise<Version[]> {
    return this.#core.observe("saveMany", () => saveMany(this.#core, entries, options));
  }

  /**
   * Replaces the value of an entry by the result of `fn`, and gives the new entry. For a missing key it does not call
   * `fn`, and gives `undefined`. `KEEP` leaves the entry, `REMOVE` deletes it. The entry keeps what remains of its ttl.
   *
   * `fn` may run several times: a conflict runs it again, until the timeout. Then it rejects with ConflictError, with
   * the number of `tries`. Calls of a process that wait for one key are written together: each gets the entry that its
   * own `fn` returned, and the version of an entry in between is never stored.
   */
  update(
    key: string,
    fn: (current: T) => T | Verdict | Promise<T | Verdict>,
    options?: UpdateOptions,
  ): Promise<Entry<T> | undefined> {
    return this.#core.observe("update", async () => {
      checkFunction(fn);
      const change = (current: T | undefined): ReturnType<typeof fn> => (current === undefined ? KEEP : fn(current));
      return modify(this.#core, key, change, options, false);
    });
  }

  /**
   * As `update`, but it also calls `fn` for a missing key, with `undefined`, and may create the entry. With `keepTtl`,
   * `ttl` and `expiresAt` are for a new entry only: an existing entry keeps what remains of its life.
   */
  upsert(
    key: string,
    fn: (current: T | undefined) => T | Verdict | Promise<T | Verdict>,
    options?: UpsertOptions,
  ): Promise<Entry<T> | undefined> {
    return this.#core.observe("upsert", () => modify(this.#core, key, fn, options, true));
  }

  /**
   * Deletes an entry. Resolves with whether there was one. With `if`, rejects with ConflictError unless there is an
   * entry of that version.
   */
  delete(key: string, options?: DeleteOptions): Promise<boolean> {
    return this.#core.observe("delete", () => remove(this.#core, key, options));
  }

  /**
   * Deletes entries independently of each other, in one request. Resolves with how many there were. Bad input refuses
   * all of them. Otherwise BatchError has the outcome of each key, each once, in their order, and what was deleted
   * stays so.
   */
  deleteMany(keys: Iterable<string>, options?: DeleteManyOptions): Promise<number> {
    return this.#core.observe("deleteMany", () => deleteMany(this.#core, keys, options));
  }

  /**
   * Deletes an entry and gives it, or `undefined` if there is none. Of all who take it at the same time, one gets it.
   * It deletes the entry on the condition that it has not changed since it was read. A conflict tries again until the
   * timeout, then rejects with ConflictError, with the number of `tries`. Rejects with FencedError (`lease` is over),
   * and with CorruptValueError or SchemaVersionError for an entry that this code cannot read, which stays.
   */
  take(key: string, options?: TakeOptions): Promise<Entry<T> | undefined> {
    return this.#core.observe("take", () => take(this.#core, key, options));
  }

  /**
   * Gives an entry another life, counted from now: `ttl` in milliseconds, as a string such as `"5m"`, or `"never"`.
   * Resolves with whether there was an entry. Its value and its version stay, so conditions on it still hold. Watchers
   * may see a change. With `if`, rejects with ConflictError unless there is an entry of that version. If the reply was
   * lost, rejects with IndeterminateError: the request is not sent again.
   */
  touch(key: string, ttl: Duration | "never", options?: TouchOptions): Promise<boolean> {
    return this.#core.observe("touch", () => touch(this.#core, key, ttl, options));
  }

  /**
   * Deletes every entry, or those of a prefix, page by page. Resolves with how many there were. Every entry that was
   * there at the call is deleted, or was written anew since. Entries that are written meanwhile may be deleted. The
   * timeout is for each page. An error leaves the rest as it is: call it again. Rejects with UnsupportedError if the
   * backend cannot list.
   */
  clear(options?: ClearOptions): Promise<number> {
    return this.#core.observe("clear", () => clear(this.#core, options));
  }

  /** The keys of all entries, as `list`, without the values, which are not transferred. */
  keys(options?: ListOptions): AsyncIterable<string> {
    return listKeys(this.#core, options);
  }

  /**
   * How many entries there are, without transferring values. No snapshot: entries that come or go meanwhile may count
   * or not, and an entry that a listing shows twice counts twice. The timeout is for each page. Rejects with
   * UnsupportedError if the backend cannot list.
   */
  count(options?: CountOptions): Promise<number> {
    return this.#core.observe("count", () => count(this.#core, options));
  }

  /**
   * All entries, in no order, page by page. No snapshot: a key that is there throughout is yielded at least once. The
   * timeout is for each page. Rejects with UnsupportedError if the backend cannot list.
   */
  list(options?: ListOptions): AsyncIterable<Entry<T>> {
    return list(this.#core, options);
  }

  /** One page of the entries, and where to go on. */
  listPage(options?: ListPageOptions): Promise<EntryPage<T>> {
    return this.#core.observe("listPage", () => listPage(this.#core, options));
  }

  /**
   * Yields changes from the moment when it resolves: the latest state of each key that changed, at least once. `gap`
   * means that changes may have been missed; with `initial`, every entry is then yielded again, as at the start. It
   * waits for a store that is away. It ends without an error with `signal`, with the loop over it, or when the instance
   * is closed. Rejects with UnsupportedError if the backend does not signal changes.
   */
  watch(options?: WatchOptions): Promise<AsyncIterable<Change<T>>> {
    return this.#core.observe("watch", () => watch(this.#core, options));
  }

  /**
   * The entries of this store within the transaction that the application has begun on `connection`: they are written
   * when the application commits, with its own rows or not at all. No I/O. For a connection of the backend's driver, or
   * an object whose `query` runs a statement in the transaction. Throws UnsupportedError unless the backend is a server
   * of SQL (`capabilities.within`; a file of SQLite is not), InvalidArgumentError for anything but a connection.
   */
  within(connection: OwnConnection): OwnStateStore<T> {
    return new OwnStateStore(this.#core, connection);
  }
}
