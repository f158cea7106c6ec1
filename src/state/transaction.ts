import type { Duration } from "../base/durations.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import type { Call, Instance } from "../client/index.ts";
import type { Group } from "../port/index.ts";
import type { Entry } from "./entry.ts";
import { Host } from "./host.ts";
import type { Item } from "./items.ts";
import {
  entryOfItem,
  modifyItem,
  takeItem,
  touchItem,
  valueOf,
  type TransactionUpsertOptions,
} from "./item-changes.ts";
import { Ledger, type Found, type TransactionTerms } from "./ledger.ts";
import { checkFunction, checkIterable, requireTtl, resolveEnd, type EndOptions } from "./options.ts";
import type { StateStore } from "./store.ts";
import type { Change } from "./modify.ts";
import { KEEP, type Verdict } from "./symbols.ts";
import {
  checkedGroupOf,
  commitItems,
  groupOf,
  type Commit,
  type Committing,
  type Extra,
} from "./transaction-commit.ts";
import type { View } from "./view.ts";

/**
 * Options of a write in a transaction. Without `ttl` and `expiresAt`, `save` uses the ttl of the store, and `update`
 * and `upsert` keep what remains of the entry's life.
 */
export type TransactionSaveOptions = EndOptions;

/**
 * Reads and writes of several entries that take effect together or not at all. Its writes are held back, and its reads
 * see them. When it commits, everything that it read is checked, also that there was no entry.
 *
 * A call that fails makes the transaction fail, whether it was awaited or not. Usable only while its function runs.
 */
export class Transaction {
  readonly #instance: Instance;
  readonly #terms: TransactionTerms;
  readonly #ledger: Ledger;

  /** @internal */
  constructor(instance: Instance, terms: TransactionTerms) {
    this.#instance = instance;
    this.#terms = terms;
    this.#ledger = new Ledger(instance, terms);
  }

  /** The value of an entry, or `undefined`. A copy of the caller's own. */
  load<T>(store: StateStore<T>, key: string): Promise<T | undefined> {
    return this.#ledger.track(this.#load(store, key));
  }

  /** An entry, or `undefined`. An entry that this transaction wrote has the version that it will be stored under. */
  loadEntry<T>(store: StateStore<T>, key: string): Promise<Entry<T> | undefined> {
    return this.#ledger.track(this.#loadEntry(store, key));
  }

  /** The values of those keys that have an entry, in one request. */
  loadMany<T>(store: StateStore<T>, keys: Iterable<string>): Promise<Map<string, T>> {
    return this.#ledger.track(this.#loadMany(store, keys));
  }

  /**
   * Writes an entry when the transaction commits. It takes a copy of the value at once, and there is nothing to await.
   * Throws the errors of bad input that `StateStore.save` rejects with.
   */
  save<T>(store: StateStore<T>, key: string, value: T, options?: TransactionSaveOptions): void {
    refuseTerms(options);
    const item = this.#ledger.item(store, key);
    const ttl = resolveEnd(options, item.core.ttl);
    this.#ledger.put(item, item.core.values.encode(value, key), ttl);
  }

  /** Changes an existing entry; see `StateStore.update`. */
  update<T>(
    store: StateStore<T>,
    key: string,
    fn: (current: T) => T | Verdict | Promise<T | Verdict>,
    options?: TransactionSaveOptions,
  ): Promise<Entry<T> | undefined> {
    const change = (current: T | undefined): ReturnType<typeof fn> => (current === undefined ? KEEP : fn(current));
    return this.#ledger.track(this.#modify(store, key, fn, change, options));
  }

  /** Changes or creates an entry; see `StateStore.upsert`. */
  upsert<T>(
    store: StateStore<T>,
    key: string,
    fn: (current: T | undefined) => T | Verdict | Promise<T | Verdict>,
    options?: TransactionUpsertOptions,
  ): Promise<Entry<T> | undefined> {
    return this.#ledger.track(this.#modify(store, key, fn, fn, options));
  }

  /** Deletes an entry, if there is one, when the transaction commits. There is nothing to await. */
  delete<T>(store: StateStore<T>, key: string): void {
    this.#ledger.put(this.#ledger.item(store, key), null, undefined);
  }

  /** Deletes an entry when the transaction commits. Gives the entry, or `undefined` if there is none. */
  take<T>(store: StateStore<T>, key: string): Promise<Entry<T> | undefined> {
    return this.#ledger.track(this.#take(store, key));
  }

  /**
   * Gives an entry another life when the transaction commits, counted from then: `ttl` in milliseconds, as a string
   * such as `"5m"`, or `"never"`. Its value and its version stay. Resolves with whether there is an entry.
   */
  touch<T>(store: StateStore<T>, key: string, ttl: Duration | "never"): Promise<boolean> {
    return this.#ledger.track(this.#touch(store, key, ttl));
  }

  /**
   * @internal Resolves when no call of the transaction is under way, and refuses calls from then on. Rejects if one
   * failed.
   */
  settled(): Promise<void> {
    return this.#ledger.settled();
  }

  /** @internal Refuses calls from now on. */
  end(): void {
    this.#ledger.end();
  }

  /** @internal A record that was read and has changed since, if there is one. */
  stale(): Promise<Found | undefined> {
    return this.#ledger.stale();
  }

  /** @internal The items that it has named, by key. */
  get items(): ReadonlyMap<string, Item<unknown>> {
    return this.#ledger.items;
  }

  /** @internal The keys of the items that it writes. */
  get written(): readonly string[] {
    return [...this.items].flatMap(([id, { write }]) => (write === undefined ? [] : [id]));
  }

  /**
   * @internal Leaves its writes in a view, to be committed with those of others. Throws as {@link commit} where they
   * could not be committed by themselves, and leaves nothing then.
   */
  leave(view: View): void {
    const opened = Host.of(this.#instance).known;
    if (opened) checkedGroupOf(this.#committing(), opened);
    for (const { core, key, write } of this.#ledger.items.values()) {
      if (write !== undefined) view.put(core, key, write, write?.ttl);
    }
  }

  /** @internal The group of everything that was read and written, and `extra`. Changes nothing here. */
  build(extra?: Extra): Group {
    return groupOf(this.#committing(extra));
  }

  /**
   * @internal Sends the group. A refusal of the store is the result. Rejects with InvalidArgumentError or
   * UnsupportedError for what the backend cannot keep or cannot run as one group, before anything is sent, and else as
   * every write does.
   */
  commit(extra?: Extra, call: Call = this.#terms.call()): Promise<Commit> {
    return commitItems(this.#committing(extra), call);
  }

  #committing(extra?: Extra): Committing {
    const { protection } = this.#terms;
    return { instance: this.#instance, items: this.#ledger.items, protection, extra };
  }

  async #load<T>(store: StateStore<T>, key: string): Promise<T | undefined> {
    return valueOf(this.#ledger, this.#ledger.item(store, key));
  }

  async #loadEntry<T>(store: StateStore<T>, key: string): Promise<Entry<T> | undefined> {
    return entryOfItem(this.#ledger, this.#ledger.item(store, key));
  }

  async #take<T>(store: StateStore<T>, key: string): Promise<Entry<T> | undefined> {
    return takeItem(this.#ledger, this.#ledger.item(store, key));
  }

  async #touch<T>(store: StateStore<T>, key: string, ttl: Duration | "never"): Promise<boolean> {
    return touchItem(this.#ledger, this.#ledger.item(store, key), requireTtl(ttl));
  }

  async #modify<T>(
    store: StateStore<T>,
    key: string,
    fn: unknown,
    change: Change<T>,
    options: TransactionUpsertOptions | undefined,
  ): Promise<Entry<T> | undefined> {
    refuseTerms(options);
    checkFunction(fn);
    return modifyItem(this.#ledger, this.#ledger.item(store, key), change, options);
  }

  async #loadMany<T>(store: StateStore<T>, keys: Iterable<string>): Promise<Map<string, T>> {
    checkIterable(keys, "keys");
    const items = Array.from(new Set(keys), (key) => this.#ledger.item(store, key));
    const values = await Promise.all(items.map((item) => valueOf(this.#ledger, item)));
    const found = new Map<string, T>();
    for (const [i, value] of values.entries()) {
      if (value !== undefined) found.set((items[i] as Item<T>).key.key, value);
    }
    return found;
  }
}

/** Refuses `if` and `lease`: a transaction checks everything that it reads, and has one lease for all. */
function refuseTerms(options: object | undefined): void {
  if (options !== undefined && ("if" in options || "lease" in options)) {
    throw new InvalidArgumentError("single writes of a transaction take no if and no lease");
  }
}
