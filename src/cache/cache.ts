import { InvalidArgumentError, isHoldfastError } from "../base/errors.ts";
import { checkKey } from "../base/keys.ts";
import { Diagnostics, type CallOptions, type Instance } from "../client/index.ts";
import { Asking } from "./asking.ts";
import { Engine } from "./engine.ts";
import type { CacheEvents, CacheStats } from "./events.ts";
import { keepHeard } from "./heard.ts";
import type { BulkLoader, Loader } from "./loaders.ts";
import {
  checkKeys,
  checkTags,
  resolveCacheOptions,
  resolveLoadOptions,
  resolveSetOptions,
  type CacheOptions,
  type GetOrSetOptions,
  type SetOptions,
} from "./options.ts";
import type { StoreCall } from "./store-health.ts";
import type { Entry, Kept } from "./tier.ts";

const diagnostics = new Diagnostics("cache");

/**
 * What was expensive to compute, kept until its ttl, its tags, `delete` or `clear` end it.
 *
 * Reading and writing fail open: a store that fails, or a value that cannot be read, is a miss and an `error` event. The store has
 * the cache's `timeout` to answer. Once a read got no answer, all caches of the instance go on without the store, at once and with one
 * `storeDown` event: reads are misses, loads run and are not kept, `set` gives false. It is asked again in the background, at most once
 * in that time, and `storeUp` tells when it answers. What ends entries does not fail open: `delete`, `invalidateTags` and `clear`
 * ask a store that is away first whether it is back, all of them by one request, and reject where it could not be told, since the old
 * values would live on. Every call rejects with InvalidArgumentError for bad input, with its signal's reason when aborted, and with
 * UnavailableError once the instance is closed.
 */
export class Cache<V = unknown> {
  /** The name that was given. */
  readonly name: string;
  readonly #engine: Engine<V>;
  readonly #asking: Asking<V>;
  readonly #source: { readonly name: string; readonly service: string; readonly backend: string };

  /** No I/O. Throws InvalidArgumentError. */
  constructor(instance: Instance, name: string, options?: CacheOptions) {
    const settings = resolveCacheOptions(options, instance.timeout);
    this.#engine = new Engine(instance, name, settings);
    this.#asking = new Asking(this.#engine);
    this.name = name;
    this.#source = { name, service: settings.service, backend: instance.backend.name };
  }

  /**
   * The value, at once, from the in-process tier alone: with Memory. Undefined where there is none, or no such tier. Never
   * asks a server or a file.
   */
  peek(key: string): V | undefined {
    this.#engine.instance.assertOpen();
    const found = this.#engine.tier.peek(checkKey(key));
    return found ? this.#engine.value("peek", key, found)?.take() : undefined;
  }

  /** The value, or undefined. An abort only ends the wait. */
  async get(key: string, options?: CallOptions): Promise<V | undefined> {
    checkKey(key);
    const call = this.#call(options);
    return this.#observe("get", async () => {
      const now = this.#engine.read("get", key, call);
      return this.#engine.value("get", key, now instanceof Promise ? await now : now)?.take();
    });
  }

  /** The values that are there, in the order of the keys. One round trip. An abort only ends the wait. */
  async getMany(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, V>> {
    const checked = checkKeys(keys);
    const call = this.#call(options);
    return this.#observe("getMany", async () => {
      const found = await Promise.all(checked.map(async (key) => this.#engine.read("getMany", key, call)));
      const values = new Map<string, V>();
      for (const [i, key] of checked.entries()) {
        const value = this.#engine.value("getMany", key, found[i]);
        if (value) values.set(key, value.take());
      }
      return values;
    });
  }

  /** Whether there is an entry. Its value is not read, and nothing is counted. */
  async has(key: string, options?: CallOptions): Promise<boolean> {
    checkKey(key);
    const call = this.#call(options);
    return this.#observe("has", async () => (await this.#engine.read("has", key, call)) !== undefined);
  }

  /**
   * Keeps a value, also over a load that is on its way; whether it was kept, which a store that is away does not. Rejects with UnsupportedValueError for a value that
   * the codec cannot store (undefined is one), and InvalidArgumentError for one over the backend's limit. An abort after it was
   * sent: IndeterminateError.
   */
  async set(key: string, value: V, options?: SetOptions): Promise<boolean> {
    return this.#set("set", [[checkKey(key), value]], options);
  }

  /** As `set`, for several; whether all of them were kept. Events tell which were not. Nothing is written if one is refused. */
  async setMany(entries: Iterable<readonly [string, V]>, options?: SetOptions): Promise<boolean> {
    if (typeof entries !== "object" || entries === null || !(Symbol.iterator in entries)) {
      throw new InvalidArgumentError("entries must be an iterable of [key, value]");
    }
    const byKey = new Map<string, V>();
    for (const [key, value] of entries) byKey.set(checkKey(key), value);
    return this.#set("setMany", [...byKey], options);
  }

  /**
   * Removes an entry; whether there was one. A load that is on its way, here or in another instance, does not bring it back,
   * and whoever asks from now on waits for a new one. Rejects with UnavailableError (not removed) or IndeterminateError.
   */
  async delete(key: string, options?: CallOptions): Promise<boolean> {
    checkKey(key);
    const call = this.#call(options);
    return this.#change([key], "delete", async () => {
      await this.#reach(call);
      this.#engine.behind.flush(key);
      const removed = await this.#engine.tier.remove(key, call);
      if (removed) this.#engine.counts.deletes++;
      return removed;
    });
  }

  /**
   * Ends every entry that bears one of these tags, in one step for the store, however many they are (those that never expire are removed
   * later, in the background); loads that are on their
   * way are not kept if they bear one. Rejects with UnavailableError (nothing ended) or IndeterminateError.
   */
  async invalidateTags(tags: readonly string[], options?: CallOptions): Promise<void> {
    const checked = checkTags(tags);
    const call = this.#call(options);
    if (checked.length === 0) return;
    // A load may still add tags: any of those on their way may be meant.
    await this.#change(undefined, "invalidateTags", async () => {
      await this.#reach(call);
      await this.#engine.tier.invalidate(checked, call);
    });
  }

  /** Ends every entry, at once whatever their number; those that never expire are removed later, in the background. Rejects with UnavailableError (nothing ended) or IndeterminateError. */
  async clear(options?: CallOptions): Promise<void> {
    const call = this.#call(options);
    await this.#change(undefined, "clear", async () => {
      await this.#reach(call);
      await this.#engine.tier.clear(call);
    });
  }

  /**
   * The value, or what `loader` returns, which is kept. All who ask for the key in this process while it runs share one run;
   * its error reaches all of them and is not kept. What it returns is not kept either if the entry was set, deleted or
   * invalidated meanwhile, by whichever instance (but for a `set` whose ttl was over before the loader); who asks this object after such a call of its own gets a new run. Nobody waits
   * for the write: calls of this object that come after it find it, others may be told of it by `load`, and closing waits for it.
   *
   * An abort ends the caller's own wait; the loader's signal aborts when nobody waits any more. `timeout` bounds the store,
   * `loadTimeout` the loader. Rejects with what the loader throws, LoadTimeoutError, and LoadDeadlockError where a loader of this
   * process asks for what waits for it.
   */
  getOrSet(key: string, loader: Loader<V>, options?: GetOrSetOptions): Promise<V>;
  getOrSet(key: string, loader: Loader<V, V | undefined>, options?: GetOrSetOptions): Promise<V | undefined>;
  async getOrSet(key: string, loader: Loader<V, V | undefined>, options?: GetOrSetOptions): Promise<V | undefined> {
    checkKey(key);
    checkLoader(loader);
    const entry = resolveLoadOptions(options, this.#engine.settings);
    const call = this.#call(options, true);
    return this.#observe("getOrSet", async () =>
      (await this.#asking.one(key, loader, entry, call, options?.signal))?.take(),
    );
  }

  /**
   * The values of `keys`, with one run of `loader` for all that are neither there nor being loaded. Keys that it gives no
   * value for are missing in the result. One round trip to look, one to keep. Else as `getOrSet`.
   */
  async getOrSetMany(
    keys: Iterable<string>,
    loader: BulkLoader<V>,
    options?: GetOrSetOptions,
  ): Promise<Map<string, V>> {
    const checked = checkKeys(keys);
    checkLoader(loader);
    const entry = resolveLoadOptions(options, this.#engine.settings);
    const call = this.#call(options, true);
    return this.#observe("getOrSetMany", async () => this.#asking.many(checked, loader, entry, call, options?.signal));
  }

  /** Counts since this object was made. */
  stats(): CacheStats {
    return { ...this.#engine.counts };
  }

  /** Calls `listener` for each event of that name until the returned function is called. */
  on<Name extends keyof CacheEvents>(event: Name, listener: (event: CacheEvents[Name]) => void): () => void {
    const end = this.#engine.events.on(event, listener);
    const leave = keepHeard(this.#engine.instance, this);
    return () => {
      end();
      leave();
    };
  }

  async #set(operation: string, values: readonly (readonly [string, V])[], options?: SetOptions): Promise<boolean> {
    const engine = this.#engine;
    const terms = resolveSetOptions(options, engine.settings);
    const call = this.#call(options);
    const entries: Entry[] = values.map(([key, value]) => ({ key, payload: engine.encode(key, value) }));
    const keys = entries.map(({ key }) => key);
    return this.#change(keys, operation, async () => {
      if (engine.skips(entries.length)) return false;
      let outcomes: readonly Kept[];
      try {
        outcomes = await engine.tier.write(entries, terms, call);
      } catch (error) {
        if (isHoldfastError(error, "INVALID_ARGUMENT")) throw error;
        engine.failOpen(operation, keys, call, error);
        return false;
      }
      let all = true;
      for (const [i, { key }] of entries.entries()) {
        const outcome = outcomes[i] as Kept;
        if ("error" in outcome && call.signal?.aborted) throw outcome.error;
        all = engine.written(operation, key, outcome) && all;
      }
      return all;
    });
  }

  /**
   * Makes a change. Whoever asks from now on joins no load from before it, and once it is made none from before that: its read
   * may have come first. `keys` are those concerned, all if undefined.
   */
  async #change<T>(keys: readonly string[] | undefined, operation: string, fn: () => Promise<T>): Promise<T> {
    this.#asking.detach(keys);
    try {
      return await this.#observe(operation, fn);
    } finally {
      this.#asking.detach(keys);
    }
  }

  /** What ends entries is not skipped when the store is away: it is asked again first. */
  #reach(call: StoreCall): Promise<void> | undefined {
    return this.#engine.health.isDown ? this.#engine.health.asked(this.#engine, call) : undefined;
  }

  #call(options: CallOptions | undefined, shared = false): StoreCall {
    this.#engine.instance.assertOpen();
    return this.#engine.call(options, shared);
  }

  #observe<T>(operation: string, fn: () => Promise<T>): Promise<T> {
    return diagnostics.active ? diagnostics.observe(this.#source, operation, fn) : fn();
  }
}

function checkLoader(loader: unknown): void {
  if (typeof loader !== "function") throw new InvalidArgumentError("loader must be a function");
}
