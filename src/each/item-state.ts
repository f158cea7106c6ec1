import { toMs, type Duration } from "../base/durations.ts";
import { InvalidArgumentError, UnsupportedError } from "../base/errors.ts";
import { checkKey } from "../base/keys.ts";
import { tagOf } from "../base/tags.ts";
import { KEEP, REMOVE, type Verdict } from "../entries/index.ts";
import type { Ttl } from "../state/commit.ts";
import type { Attempt, Use } from "./attempt.ts";
import { isKnown, type CachedRecord, type Records, type StoreRecords } from "./records.ts";
import type { ItemState } from "./types.ts";

/**
 * A state store as an attempt sees it. What is known is answered at once; every other call is tracked by the attempt. A
 * change is made of the value and written in one step, so that no other call of the attempt comes between.
 */
export class AttemptState<T> implements ItemState<T> {
  readonly #attempt: Attempt;
  readonly #cache: Records;
  readonly #records: StoreRecords;

  constructor(attempt: Attempt, cache: Records, records: StoreRecords) {
    this.#attempt = attempt;
    this.#cache = cache;
    this.#records = records;
  }

  load(key: string): Promise<T | undefined> {
    return this.#with(key, (use) => this.#decode(use));
  }

  loadMany(keys: Iterable<string>): Promise<Map<string, T>> {
    return this.#attempt.track(this.#loadMany(keys));
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

  update(key: string, fn: (current: T) => T | Verdict): Promise<T | undefined> {
    return this.#with(key, (use) => {
      const current = this.#decode(use);
      return current === undefined ? undefined : this.#apply(use, current, fn(current), "keep");
    });
  }

  upsert(key: string, fn: (current: T | undefined) => T | Verdict): Promise<T | undefined> {
    return this.#with(key, (use) => {
      const current = this.#decode(use);
      return this.#apply(use, current, fn(current), current === undefined ? undefined : "keep");
    });
  }

  delete(key: string): Promise<boolean> {
    return this.#with(key, (use) => this.#remove(use));
  }

  /** Does something with a record: at once where it is known. */
  #with<R>(key: string, what: (use: Use) => R): Promise<R> {
    try {
      const known = this.#known(key);
      if (known) return Promise.resolve(what(known));
    } catch (error) {
      return this.#failed(error);
    }
    return this.#attempt.track(this.#fetch(key).then(what));
  }

  async #loadMany(keys: Iterable<string>): Promise<Map<string, T>> {
    const wanted = [...new Set(keys)];
    const values = await Promise.all(wanted.map((key) => this.load(key)));
    const found = new Map<string, T>();
    for (const [i, key] of wanted.entries()) if (values[i] !== undefined) found.set(key, values[i]);
    return found;
  }

  #decode(use: Use): T | undefined {
    return this.#cache.decode(use.payload) as T | undefined;
  }

  #apply(use: Use, current: T | undefined, next: T | Verdict, ttl: Ttl): T | undefined {
    if (next === KEEP) return current;
    if (next === REMOVE) {
      this.#remove(use);
      return undefined;
    }
    if (next === undefined)
      throw new InvalidArgumentError(
        "the function returned undefined: return KEEP to leave the entry, REMOVE to delete it",
        { key: use.record.key },
      );
    this.#write(use, this.#cache.encode(next), ttl);
    return next as T;
  }

  #remove(use: Use): boolean {
    const there = use.payload !== undefined;
    if (there) this.#write(use, undefined, undefined);
    return there;
  }

  /** What the item has read or written, or what this process knows. */
  #known(key: string): Use | undefined {
    this.#check(key);
    const use = this.#attempt.use(this.#records.store, key);
    if (use) return use;
    const record = this.#cache.peek(this.#records, key);
    return record && isKnown(record) ? this.#read(record) : undefined;
  }

  async #fetch(key: string): Promise<Use> {
    for (;;) {
      await this.#cache.load(this.#records, key);
      const use = this.#known(key);
      if (use) return use;
    }
  }

  #read(record: CachedRecord): Use {
    return this.#attempt.hold({ record, seen: record.revision, wrote: false, payload: record.payload, ttl: undefined });
  }

  /** For writing: what the item knows of it, or nothing. */
  #own(key: string): Use {
    this.#check(key);
    const known = this.#attempt.use(this.#records.store, key);
    if (known) return known;
    const record = this.#cache.forWrite(this.#records, key);
    return this.#attempt.hold({ record, seen: -1, wrote: false, payload: undefined, ttl: undefined });
  }

  #write(use: Use, payload: string | Uint8Array | undefined, ttl: Ttl): void {
    // What the item said of it before is what is kept.
    if (ttl !== "keep" || !use.wrote) use.ttl = ttl;
    use.wrote = true;
    use.payload = payload;
  }

  #check(key: string): void {
    checkKey(key);
    if (this.#attempt.late) throw new UnsupportedError("the item's time is over: what it writes is void", { key });
    if (this.#attempt.over)
      throw new UnsupportedError("the item was handled already: await every call on ctx.state", { key });
    const { tag, item } = this.#attempt;
    if (tag !== undefined && tagOf(key) !== tag) {
      const own = JSON.stringify(item.key);
      throw new UnsupportedError(
        "this store keeps records in several places: an item may use records with the tag of its own key only " +
          `(as ${own}, or with {${tag}} in the key)`,
        { key },
      );
    }
  }

  #failed(error: unknown): Promise<never> {
    this.#attempt.fail(error);
    const rejected = Promise.reject(error instanceof Error ? error : new Error(String(error)));
    // Noted above: the item fails with it, so a handler that does not wait for it must not end the process.
    rejected.catch(() => undefined);
    return rejected;
  }
}
