import { rejected } from "../base/async.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import { refuseForgotten, type Call, type CallOptions, type Instance } from "../client/index.ts";
import { loadEntries, saveMany } from "./many.ts";
import { resolveCondition, resolveVersion } from "./conditions.ts";
import { StoreCore } from "./core.ts";
import type { Key } from "../base/keys.ts";
import type { Condition } from "../port/index.ts";
import type { Change, Entry, Version } from "./entry.ts";
import { list, listPage } from "./listing.ts";
import { modify } from "./modify.ts";
import {
  checkFunction,
  resolveTtl,
  type DeleteOptions,
  type EntryPage,
  type ListOptions,
  type ListPageOptions,
  type LoadEntryOptions,
  type SaveEntry,
  type SaveManyOptions,
  type SaveOptions,
  type StateStoreOptions,
  type UpdateOptions,
  type WatchOptions,
} from "./options.ts";
import { KEEP, type Verdict } from "./symbols.ts";
import type { Encoded } from "./values.ts";
import { watch } from "./watching.ts";

/** Set by the class, which alone can look inside. */
let open: <T>(store: StateStore<T>) => StoreCore<T> | undefined;

/** The insides of a store, for those who work on several stores at once. Throws InvalidArgumentError for what is none. */
export function coreOf<T>(store: StateStore<T>): StoreCore<T> {
  const core = typeof store === "object" && store !== null ? open(store) : undefined;
  if (!core) throw new InvalidArgumentError("store must be a StateStore of this copy of the package");
  return core;
}

/**
 * Entries by key, all of one type. What is saved is what is loaded, as an independent copy; no update is lost.
 *
 * Every call takes a `signal` and a `timeout`. It rejects with InvalidArgumentError for bad input, UnavailableError where the
 * store could not be asked and nothing happened, and, if it writes, IndeterminateError where its outcome is unknown.
 */
export class StateStore<T> {
  readonly #core: StoreCore<T>;

  static {
    open = (store) => (#core in store ? store.#core : undefined);
  }

  /** A store of an instance; services get theirs from `connect` or the class of a backend. Does no I/O. */
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
   * The value of a key, or `undefined`. Rejects with CorruptValueError or SchemaVersionError for an entry that this code
   * cannot read; it stays as it is.
   */
  load(key: string, options?: CallOptions): Promise<T | undefined> {
    if (!this.#core.observed) return this.#load(key, options);
    return this.#core.observe("load", () => this.#load(key, options));
  }

  /**
   * The entry of a key, with its version, or `undefined`. With a `lease`, FencedError unless it is held; an entry that another
   * server keeps then refuses every lease before this one.
   */
  loadEntry(key: string, options?: LoadEntryOptions): Promise<Entry<T> | undefined> {
    return this.#core.observe("loadEntry", () => this.#loadEntry(key, options));
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

  /**
   * Writes an entry, and gives its version. The value is taken as it is now: what becomes of it later does not matter. Rejects
   * with ConflictError (`if` does not hold), FencedError (`lease` is over) or UnsupportedValueError, and has then written
   * nothing.
   */
  save(key: string, value: T, options?: SaveOptions): Promise<Version> {
    if (!this.#core.observed) return this.#save(key, value, options);
    return this.#core.observe("save", () => this.#save(key, value, options));
  }

  /**
   * Writes entries independently of each other, in one request, and gives their versions. Bad input refuses all of them;
   * otherwise BatchError tells what became of each, and those that succeeded stay.
   */
  saveMany(entries: Iterable<readonly [string, T] | SaveEntry<T>>, options?: SaveManyOptions): Promise<Version[]> {
    return this.#core.observe("saveMany", () => saveMany(this.#core, entries, options));
  }

  /**
   * Replaces an entry by what `fn` makes of its value, and gives the new entry. `fn` is not called for a missing key, which
   * stays missing: `undefined`. It may run several times, since a conflict runs it again until the timeout, then
   * ConflictError with the number of `tries`. Calls of a process that wait for one key are written together: an entry in between
   * is what its own `fn` returned, under a version that is never stored. `KEEP` leaves the entry, `REMOVE` deletes it. What remains of its ttl stays.
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

  /** As `update`, but `fn` is also called for a missing key, with `undefined`, and may create it. */
  upsert(
    key: string,
    fn: (current: T | undefined) => T | Verdict | Promise<T | Verdict>,
    options?: UpdateOptions,
  ): Promise<Entry<T> | undefined> {
    return this.#core.observe("upsert", () => modify(this.#core, key, fn, options, true));
  }

  /** Deletes an entry; whether there was one. With `if`, ConflictError unless there is one of that version. */
  delete(key: string, options?: DeleteOptions): Promise<boolean> {
    return this.#core.observe("delete", () => this.#delete(key, options));
  }

  /**
   * All entries, in no order, page by page; no snapshot. A key that is there throughout is yielded at least once. The timeout
   * is that of one page. UnsupportedError where the backend cannot list.
   */
  list(options?: ListOptions): AsyncIterable<Entry<T>> {
    return list(this.#core, options);
  }

  /** One page of the entries, and where to go on. */
  listPage(options?: ListPageOptions): Promise<EntryPage<T>> {
    return this.#core.observe("listPage", () => listPage(this.#core, options));
  }

  /**
   * Tells of changes from the moment when it resolves: the latest state of each key that changed, at least once. `gap` says that
   * changes may have been missed; with `initial`, every entry is then yielded again, as at the start. A store that is away is
   * waited for. It ends, without an error, with `signal`, with the loop over it, or when the instance is closed.
   * UnsupportedError where the backend cannot tell.
   */
  watch(options?: WatchOptions): Promise<AsyncIterable<Change<T>>> {
    return this.#core.observe("watch", () => watch(this.#core, options));
  }

  // What follows sends its request before it first waits, where it can: calls on one key keep their order.

  #load(rawKey: string, options: CallOptions | undefined): Promise<T | undefined> {
    const core = this.#core;
    try {
      const call = core.instance.call(options);
      const key = core.at(rawKey);
      if (core.host.known) return core.load(key, call);
      return core.host.ready(call).then(() => core.load(key, call));
    } catch (error) {
      return rejected(error);
    }
  }

  async #loadEntry(rawKey: string, options: LoadEntryOptions | undefined): Promise<Entry<T> | undefined> {
    refuseForgotten(options, "lease");
    const core = this.#core;
    const call = core.instance.call(options);
    const key = core.at(rawKey);
    const opened = core.host.known ?? (await core.host.ready(call));
    const protecting = core.protection(options?.lease, opened, call);
    const protection = protecting instanceof Promise ? await protecting : protecting;
    const record = await core.read(key, call, protection);
    return record && core.entry(record, call);
  }

  #save(rawKey: string, value: T, options: SaveOptions | undefined): Promise<Version> {
    const core = this.#core;
    try {
      refuseForgotten(options, "lease", "if");
      const call = core.instance.call(options);
      const key = core.at(rawKey);
      const condition = resolveCondition(options?.if, rawKey);
      const ttl = resolveTtl(options?.ttl, core.ttl);
      const encoded = core.encode(value, rawKey, call);
      const { known } = core.host;
      if (!known || options?.lease !== undefined || encoded instanceof Promise)
        return this.#saveLater(key, encoded, condition, ttl, options?.lease, call);
      core.checkSize(encoded.payload, rawKey, known);
      return core.save(key, encoded, condition, ttl, call);
    } catch (error) {
      return rejected(error);
    }
  }

  async #saveLater(
    key: Key,
    encoding: Encoded | Promise<Encoded>,
    condition: Condition | undefined,
    ttl: number | undefined,
    lease: unknown,
    call: Call,
  ): Promise<Version> {
    const core = this.#core;
    const encoded = encoding instanceof Promise ? await encoding : encoding;
    const opened = core.host.known ?? (await core.host.ready(call));
    core.checkSize(encoded.payload, key.key, opened);
    const protecting = core.protection(lease, opened, call);
    if (!protecting) return core.save(key, encoded, condition, ttl, call);
    const protection = protecting instanceof Promise ? await protecting : protecting;
    core.passed(await core.write(core.set(key, encoded, condition, ttl), call, protection), key.key);
    return encoded.id;
  }

  async #delete(rawKey: string, options: DeleteOptions | undefined): Promise<boolean> {
    const core = this.#core;
    refuseForgotten(options, "lease", "if");
    const call = core.instance.call(options);
    const key = core.at(rawKey);
    const condition = resolveVersion(options?.if, rawKey);
    const opened = core.host.known ?? (await core.host.ready(call));
    const protecting = core.protection(options?.lease, opened, call);
    const protection = protecting instanceof Promise ? await protecting : protecting;
    const reply = await core.write({ op: "delete", key, if: condition }, call, protection);
    return core.passed(reply, rawKey) as boolean;
  }
}
