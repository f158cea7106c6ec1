import { markClass } from "../base/classes.ts";
import { toMsOrNever, type Duration } from "../base/durations.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import { checkKey } from "../base/keys.ts";
import { Diagnostics, type CallOptions, type Instance } from "../client/index.ts";
import type { CacheCore } from "./core.ts";
import type { CacheEvents, CacheStats } from "./events.ts";
import { keepHeard } from "./heard.ts";
import type { BulkLoader, Loader } from "./loaders.ts";
import {
  checkKeys,
  checkTags,
  resolveLoadOptions,
  type CacheEntry,
  type CacheOptions,
  type CacheSettings,
  type GetOrSetOptions,
  type SetEntry,
  type SetOptions,
} from "./options.ts";
import { CacheParts } from "./parts.ts";
import type { StoreCall } from "./store-health.ts";

const diagnostics = new Diagnostics("cache");

/**
 * What was expensive to compute, kept until its ttl, its tags, `delete` or `clear` end it.
 *
 * Reading and writing fail open: a store that fails, or a value that cannot be read, is a miss and an `error` event.
 * The store has the cache's `timeout` to answer. Once a read got no answer, all caches of the instance go on without
 * the store, at once and with one `storeDown` event: reads are misses, loads run and are not kept, `set` and `touch`
 * give false. It is asked again in the background, at most once in that time, and `storeUp` tells when it answers. What
 * ends entries does not fail open: `delete`, `deleteMany`, `take`, `invalidateTags` and `clear` ask a store that is
 * away first whether it is back, all of them by one request, and reject where it could not be told, since the old
 * values would live on. Every call rejects with InvalidArgumentError for bad input, with its signal's reason when
 * aborted, and with UnavailableError once the instance is closed.
 */
export class Cache<V = unknown> {
  static {
    markClass("Cache", Cache);
  }

  /** The name that was given. */
  readonly name: string;
  readonly #parts: CacheParts<V>;
  readonly #core: CacheCore<V>;
  readonly #settings: CacheSettings;
  readonly #source: { readonly name: string; readonly service: string; readonly backend: string };

  /** No I/O. Throws InvalidArgumentError. `parts`: of the cache that this is one more handle of. */
  constructor(instance: Instance, name: string, options?: CacheOptions, parts?: CacheParts<V>) {
    this.#parts = parts ?? new CacheParts(instance, name, options);
    this.#core = this.#parts.core;
    this.#settings = this.#parts.settingsOf(options);
    this.name = name;
    this.#source = { name, service: this.#settings.service, backend: instance.backend.name };
  }

  /**
   * The value, at once, from the in-process tier alone: with Memory. Undefined where there is none, or no such tier.
   * Never asks a server or a file.
   */
  peek(key: string): V | undefined {
    this.#core.instance.assertOpen();
    const found = this.#core.tier.peek(checkKey(key));
    return found ? this.#core.value("peek", key, found)?.take() : undefined;
  }

  /** The value, or undefined. An abort only ends the wait. */
  async get(key: string, options?: CallOptions): Promise<V | undefined> {
    checkKey(key);
    const call = this.#call(options);
    return this.#observe("get", async () => {
      const now = this.#core.read("get", key, call);
      return this.#core.value("get", key, now instanceof Promise ? await now : now)?.take();
    });
  }

  /** The value with its end and its tags, or undefined. Counted as a `get`. An abort only ends the wait. */
  async getEntry(key: string, options?: CallOptions): Promise<CacheEntry<V> | undefined> {
    checkKey(key);
    const call = this.#call(options);
    return this.#observe("getEntry", () => this.#core.entry("getEntry", key, call));
  }

  /** The values that are there, in the order of the keys. One round trip. An abort only ends the wait. */
  async getMany(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, V>> {
    const checked = checkKeys(keys);
    const call = this.#call(options);
    return this.#observe("getMany", async () => {
      const found = await Promise.all(checked.map(async (key) => this.#core.read("getMany", key, call)));
      const values = new Map<string, V>();
      for (const [i, key] of checked.entries()) {
        const value = this.#core.value("getMany", key, found[i]);
        if (value) values.set(key, value.take());
      }
      return values;
    });
  }

  /** Whether there is an entry. Its value is not read, and nothing is counted. An abort only ends the wait. */
  async has(key: string, options?: CallOptions): Promise<boolean> {
    checkKey(key);
    const call = this.#call(options);
    return this.#observe("has", async () => this.#core.has("has", key, call));
  }

  /** Those of the keys that have an entry, in their order. One round trip; else as `has`. */
  async hasMany(keys: Iterable<string>, options?: CallOptions): Promise<Set<string>> {
    const checked = checkKeys(keys);
    const call = this.#call(options);
    return this.#observe("hasMany", async () => {
      const there = await Promise.all(checked.map(async (key) => this.#core.has("hasMany", key, call)));
      return new Set(checked.filter((_, i) => there[i]));
    });
  }

  /**
   * Keeps a value, also over a load that is on its way; whether it was kept, which a store that is away does not.
   * Rejects with UnsupportedValueError for a value that the codec cannot store (undefined is one), and
   * InvalidArgumentError for one over the backend's limit. An abort after it was sent: IndeterminateError.
   */
  async set(key: string, value: V, options?: SetOptions): Promise<boolean> {
    const entries = [this.#parts.changing.prepare(key, value, options, this.#settings)];
    const call = this.#call(options);
    return this.#observe("set", () => this.#parts.changing.set("set", entries, call));
  }

  /**
   * As `set`, for several; whether all of them were kept. Each is a pair, or says its own ttl and tags. Of a key that
   * comes twice the last counts. Events tell which were not kept. Nothing is written if one is refused.
   */
  async setMany(entries: Iterable<readonly [string, V] | SetEntry<V>>, options?: SetOptions): Promise<boolean> {
    if (typeof entries !== "object" || entries === null || !(Symbol.iterator in entries)) {
      throw new InvalidArgumentError("entries must be an iterable of [key, value] or { key, value }");
    }
    const prepared = this.#parts.changing.prepareMany(entries, options, this.#settings);
    const call = this.#call(options);
    return this.#observe("setMany", () => this.#parts.changing.set("setMany", prepared, call));
  }

  /**
   * Gives an entry another ttl, counted from now; whether there is one. Its value and its tags stay. It fails open as
   * `set` does: false where the store is away. `ttl`: milliseconds, a string such as `"5m"`, or `"never"`. An abort
   * after it was sent: IndeterminateError.
   */
  async touch(key: string, ttl: Duration | "never", options?: CallOptions): Promise<boolean> {
    checkKey(key);
    const ms = toMsOrNever(ttl, "ttl");
    const call = this.#call(options);
    return this.#observe("touch", () => this.#parts.changing.touch(key, ms, call));
  }

  /**
   * Removes an entry; whether there was one. A load that is on its way, here or in another instance, does not bring it
   * back, and whoever asks from now on waits for a new one. Rejects with UnavailableError (not removed) or
   * IndeterminateError, as it does for an abort after it was sent.
   */
  async delete(key: string, options?: CallOptions): Promise<boolean> {
    checkKey(key);
    const call = this.#call(options);
    return this.#observe("delete", () => this.#parts.changing.delete(key, call));
  }

  /**
   * As `delete`, for several, in one round trip; how many there were. Rejects with UnavailableError where the store is
   * away, and with BatchError where some could not be removed: its `outcomes` tell what became of each key, in their
   * order, each once.
   */
  async deleteMany(keys: Iterable<string>, options?: CallOptions): Promise<number> {
    const checked = checkKeys(keys);
    const call = this.#call(options);
    return this.#observe("deleteMany", () => this.#parts.changing.deleteMany(checked, call));
  }

  /**
   * The value, which is removed in the same step: of all who take it at the same time, one gets it. Undefined where
   * there is none, or where it cannot be read, which is an `error` event; it is gone all the same. Counted as a `get`.
   * It ends loads and rejects as `delete` does.
   */
  async take(key: string, options?: CallOptions): Promise<V | undefined> {
    checkKey(key);
    const call = this.#call(options);
    return this.#observe("take", () => this.#parts.changing.take(key, call));
  }

  /**
   * Ends every entry that bears one of these tags, in one step for the store, however many they are (those that never
   * expire are removed later, in the background); loads that are on their way are not kept if they bear one. Rejects
   * with UnavailableError (nothing ended) or IndeterminateError.
   */
  async invalidateTags(tags: readonly string[], options?: CallOptions): Promise<void> {
    const checked = checkTags(tags);
    const call = this.#call(options);
    if (checked.length === 0) return;
    await this.#observe("invalidateTags", () => this.#parts.changing.invalidate(checked, call));
  }

  /**
   * Ends every entry, at once whatever their number; those that never expire are removed later, in the background.
   * Rejects with UnavailableError (nothing ended) or IndeterminateError.
   */
  async clear(options?: CallOptions): Promise<void> {
    const call = this.#call(options);
    await this.#observe("clear", () => this.#parts.changing.clear(call));
  }

  /**
   * The value, or what `loader` returns, which is kept. All who ask for the key in this process while it runs share one
   * load; its error reaches all of them and is not kept. What it returns is not kept either if the entry was set,
   * deleted or invalidated meanwhile, by whichever instance (but for a `set` whose ttl was over before the loader); who
   * asks this object after such a call of its own gets a new load. Nobody waits for the write: calls of this object
   * that come after it find it, others may be told of it by `load`, and closing waits for it.
   *
   * An abort ends the caller's own wait; the loader's signal aborts when nobody waits any more. `timeout` bounds the
   * store, `loadTimeout` the loader. Rejects with what the loader throws, LoadTimeoutError, and LoadDeadlockError where
   * a loader of this process asks for what waits for it.
   */
  getOrSet(key: string, loader: Loader<V>, options?: GetOrSetOptions): Promise<V>;
  getOrSet(key: string, loader: Loader<V, V | undefined>, options?: GetOrSetOptions): Promise<V | undefined>;
  async getOrSet(key: string, loader: Loader<V, V | undefined>, options?: GetOrSetOptions): Promise<V | undefined> {
    checkKey(key);
    checkLoader(loader);
    const entry = resolveLoadOptions(options, this.#settings);
    const call = this.#call(options, true);
    return this.#observe("getOrSet", async () =>
      (await this.#parts.asking.one(key, loader, entry, call, options?.signal))?.take(),
    );
  }

  /**
   * The values of `keys`, with one load for all that are neither there nor being loaded. Keys that `loader` gives no
   * value for are missing in the result. One round trip to look, one to keep. Else as `getOrSet`.
   */
  async getOrSetMany(
    keys: Iterable<string>,
    loader: BulkLoader<V>,
    options?: GetOrSetOptions,
  ): Promise<Map<string, V>> {
    const checked = checkKeys(keys);
    checkLoader(loader);
    const entry = resolveLoadOptions(options, this.#settings);
    const call = this.#call(options, true);
    return this.#observe("getOrSetMany", () => this.#parts.asking.many(checked, loader, entry, call, options?.signal));
  }

  /** Counts of this process, of all handles of the cache together. */
  stats(): CacheStats {
    return { ...this.#core.counts };
  }

  /** Calls `listener` for each event of that name until the returned function is called. */
  on<Name extends keyof CacheEvents>(event: Name, listener: (event: CacheEvents[Name]) => void): () => void {
    const end = this.#core.events.on(event, listener);
    const leave = keepHeard(this.#core.instance, this.#parts);
    return () => {
      end();
      leave();
    };
  }

  #call(options: CallOptions | undefined, shared = false): StoreCall {
    this.#core.instance.assertOpen();
    return this.#core.call(options, shared, this.#settings.timeout);
  }

  #observe<T>(operation: string, fn: () => Promise<T>): Promise<T> {
    return diagnostics.active ? diagnostics.observe(this.#source, operation, fn) : fn();
  }
}

function checkLoader(loader: unknown): void {
  if (typeof loader !== "function") throw new InvalidArgumentError("loader must be a function");
}
