import { toMs, type Duration } from "../base/durations.ts";
import { InvalidArgumentError, isHoldfastError, UnsupportedError } from "../base/errors.ts";
import { checkKey } from "../base/keys.ts";
import { tagOf } from "../base/tags.ts";
import { KEEP, REMOVE, type Lease, type StateStore, type Verdict } from "../entries/index.ts";
import type { Ttl } from "./commit.ts";
import type { Item } from "./item.ts";
import { isKnown, type CachedRecord, type Records, type StoreRecords } from "./records.ts";

/** What a handler gets besides its item. */
export interface HandlerContext {
  /** The item's key; undefined where the job has no key field. */
  readonly key: string | undefined;
  /** The record number in the input, from 1. Blank lines and a CSV header are no records. */
  readonly id: number;
  /** 1, and one more each time after the item failed. Runs repeated because a record was changed by another do not count. */
  readonly attempt: number;
  /** Aborts when this worker lost the item to another one: what the handler writes from then on is refused. */
  readonly signal: AbortSignal;
  /** The lease that the item's writes commit under. Its fence rises with every change of hands. */
  readonly lease: Lease;
  /** The same for every run of this item, and no other's: for calls to the outside. */
  readonly idempotencyKey: string;
  /** The state store `name`, as this item sees it. */
  state<T = unknown>(name: string): ItemState<T>;
}

/**
 * A state store inside of a handler. Writes are held back: the item's own reads see them, everybody else's from the moment on
 * that they commit together, with the item's progress, exactly once. What was read is checked then; if another has changed
 * it, the handler runs again. A call that fails makes the item fail, also if the handler does not wait for it.
 */
export interface ItemState<T> {
  /** The value, a copy of the handler's own; undefined where there is none. */
  load(key: string): Promise<T | undefined>;
  /** The values that are there. */
  loadMany(keys: Iterable<string>): Promise<Map<string, T>>;
  /** Writes a value. `ttl` in ms or as a duration; without it the record does not expire. */
  save(key: string, value: T, options?: { readonly ttl?: Duration | undefined }): Promise<void>;
  /** Writes what `fn` makes of the value, keeping what remains of its ttl; a missing one stays missing. */
  update(key: string, fn: (current: T) => T | Verdict): Promise<T | undefined>;
  /** As `update`, but `fn` is also called, with undefined, where there is no value. */
  upsert(key: string, fn: (current: T | undefined) => T | Verdict): Promise<T | undefined>;
  /** Removes it; whether it was there. */
  delete(key: string): Promise<boolean>;
}

/** What runs of one worker share. */
export interface RunHost {
  readonly records: Records;
  readonly idPrefix: string;
  store(name: string): StateStore<unknown>;
}

/** A record that a run has read or written, and what it would leave in it. */
interface Use {
  readonly record: CachedRecord;
  /** Its revision when it was read; -1 where it was only written. */
  seen: number;
  wrote: boolean;
  payload: string | Uint8Array | undefined;
  ttl: Ttl;
}

/** One run of a handler: its context, what it has read, and its writes until they are merged into a batch. */
export class Run implements HandlerContext {
  readonly item: Item;
  readonly lease: Lease;
  readonly uses: Use[] = [];
  /** A call on `state` that failed: the item cannot commit, even if the handler has caught it. */
  failure: unknown = undefined;
  /** Whether that was because the store could not be asked, which is no fault of the item. */
  away = false;
  /** It would fail again in the same way. */
  hopeless = false;
  over = false;
  /** The only tag that its records may have, where it cannot commit others together. */
  readonly tag: string | undefined;
  readonly #host: RunHost;

  constructor(item: Item, lease: Lease, host: RunHost, tag: string | undefined) {
    this.item = item;
    this.lease = lease;
    this.tag = tag;
    this.#host = host;
  }

  get key(): string | undefined {
    return this.item.key;
  }

  get id(): number {
    return this.item.id;
  }

  get attempt(): number {
    return this.item.failures + 1;
  }

  get signal(): AbortSignal {
    return this.lease.signal;
  }

  get idempotencyKey(): string {
    return `${this.#host.idPrefix}${this.item.id}`;
  }

  state<T = unknown>(name: string): ItemState<T> {
    const { records } = this.#host;
    return new RunState<T>(this, records, records.of(this.#host.store(name)));
  }

  /** Whether everything it read is still so, as far as this process knows. */
  isCurrent(): boolean {
    for (const { record, seen } of this.uses) {
      if (record.dropped || (seen >= 0 && record.revision !== seen)) return false;
    }
    return true;
  }

  /** Holds a record until the run is over. */
  hold(use: Use): Use {
    use.record.pins++;
    this.uses.push(use);
    return use;
  }

  /** The run is over, and what it has left was merged or counts for nothing. */
  release(): void {
    for (const { record } of this.uses) record.pins--;
  }

  use(records: StoreRecords, key: string): Use | undefined {
    for (const use of this.uses) if (use.record.key === key && use.record.store === records.store) return use;
    return undefined;
  }

  /** Notes what went wrong, so that it counts even where the handler does not wait for the call. */
  fail(error: unknown): void {
    this.failure ??= error;
    if (isHoldfastError(error, "UNAVAILABLE") || isHoldfastError(error, "INDETERMINATE")) this.away = true;
    if (isHoldfastError(error, "UNSUPPORTED")) this.hopeless = true;
  }
}

class RunState<T> implements ItemState<T> {
  readonly #run: Run;
  readonly #cache: Records;
  readonly #records: StoreRecords;

  constructor(run: Run, cache: Records, records: StoreRecords) {
    this.#run = run;
    this.#cache = cache;
    this.#records = records;
  }

  load(key: string): Promise<T | undefined> {
    try {
      const known = this.#known(key);
      if (known) return Promise.resolve(this.#cache.decode(known.payload) as T | undefined);
    } catch (error) {
      return this.#failed(error);
    }
    return this.#fetch(key).then((use) => this.#cache.decode(use.payload) as T | undefined);
  }

  async loadMany(keys: Iterable<string>): Promise<Map<string, T>> {
    const wanted = [...new Set(keys)];
    const values = await Promise.all(wanted.map((key) => this.load(key)));
    const found = new Map<string, T>();
    for (const [i, key] of wanted.entries()) if (values[i] !== undefined) found.set(key, values[i]);
    return found;
  }

  save(key: string, value: T, options?: { readonly ttl?: Duration | undefined }): Promise<void> {
    try {
      const ttl = options?.ttl === undefined ? undefined : toMs(options.ttl, "ttl");
      this.#write(this.#own(key), this.#cache.encode(value), ttl);
      return Promise.resolve();
    } catch (error) {
      return this.#failed(error);
    }
  }

  async update(key: string, fn: (current: T) => T | Verdict): Promise<T | undefined> {
    const current = await this.load(key);
    return current === undefined ? undefined : this.#apply(key, current, fn(current), "keep");
  }

  async upsert(key: string, fn: (current: T | undefined) => T | Verdict): Promise<T | undefined> {
    const current = await this.load(key);
    return this.#apply(key, current, fn(current), current === undefined ? undefined : "keep");
  }

  async delete(key: string): Promise<boolean> {
    const there = (await this.load(key)) !== undefined;
    if (there) this.#write(this.#own(key), undefined, undefined);
    return there;
  }

  async #apply(key: string, current: T | undefined, next: T | Verdict, ttl: Ttl): Promise<T | undefined> {
    if (next === KEEP) return current;
    if (next === REMOVE) {
      await this.delete(key);
      return undefined;
    }
    try {
      if (next === undefined)
        throw new InvalidArgumentError(
          "the function returned undefined: return KEEP to leave the entry, REMOVE to delete it",
          { key },
        );
      this.#write(this.#own(key), this.#cache.encode(next), ttl);
      return next as T;
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** What the item has read or written, or what this process knows. */
  #known(key: string): Use | undefined {
    this.#check(key);
    const use = this.#run.use(this.#records, key);
    if (use) return use;
    const record = this.#cache.peek(this.#records, key);
    return record && isKnown(record) ? this.#read(record) : undefined;
  }

  async #fetch(key: string): Promise<Use> {
    for (;;) {
      try {
        await this.#cache.load(this.#records, key);
      } catch (error) {
        return this.#failed(error);
      }
      const use = this.#known(key);
      if (use) return use;
    }
  }

  #read(record: CachedRecord): Use {
    return this.#run.hold({ record, seen: record.revision, wrote: false, payload: record.payload, ttl: undefined });
  }

  /** For writing: what the item knows of it, or nothing. */
  #own(key: string): Use {
    this.#check(key);
    const known = this.#run.use(this.#records, key);
    if (known) return known;
    const record = this.#cache.forWrite(this.#records, key);
    return this.#run.hold({ record, seen: -1, wrote: false, payload: undefined, ttl: undefined });
  }

  #write(use: Use, payload: string | Uint8Array | undefined, ttl: Ttl): void {
    use.wrote = true;
    use.payload = payload;
    use.ttl = ttl;
  }

  #check(key: string): void {
    checkKey(key);
    if (this.#run.over)
      throw new UnsupportedError("the item was handled already: await every call on ctx.state", { key });
    const { tag, item } = this.#run;
    if (tag !== undefined && tagOf(key) !== tag) {
      const own = JSON.stringify(item.key);
      throw new UnsupportedError(
        `this store keeps records in several places: an item may use records with the tag of its own key only (as ${own}, or with {${tag}} in the key)`,
        { key },
      );
    }
  }

  #failed(error: unknown): Promise<never> {
    this.#run.fail(error);
    const rejected = Promise.reject(error instanceof Error ? error : new Error(String(error)));
    // Noted above: the item fails with it, so a handler that does not wait for it must not end the process.
    rejected.catch(() => undefined);
    return rejected;
  }
}
