import { isHoldfastError } from "../base/errors.ts";
import { checkKey } from "../base/keys.ts";
import { allOrBatchError, toEntry } from "../client/index.ts";
import type { Asking } from "./asking.ts";
import type { CacheCore } from "./core.ts";
import {
  checkEntryTags,
  resolveDefaults,
  ttlOf,
  type CacheSettings,
  type SetEntry,
  type SetOptions,
} from "./options.ts";
import type { StoreCall } from "./store-health.ts";
import type { EntryWrite, Kept } from "./tier.ts";

/**
 * Changes entries. What ends them does not fail open: a store that is away is asked first whether it is back. Whoever
 * asks for a value while a change is made, or after it, joins no load from before it.
 */
export class Changing<V> {
  readonly #core: CacheCore<V>;
  readonly #asking: Asking<V>;

  constructor(core: CacheCore<V>, asking: Asking<V>) {
    this.#core = core;
    this.#asking = asking;
  }

  /** Checks and encodes what is to be written. */
  prepare(key: string, value: V, options: SetOptions | undefined, settings: CacheSettings): EntryWrite {
    const { ttl, tags } = resolveDefaults(options, settings);
    return { key: checkKey(key), ttl: ttlOf(undefined, ttl), tags, payload: this.#core.encode(key, value) };
  }

  /** The same for several, before anything of it is written. Of a key that comes twice, the last. */
  prepareMany(
    entries: Iterable<readonly [string, V] | SetEntry<V>>,
    options: SetOptions | undefined,
    settings: CacheSettings,
  ): EntryWrite[] {
    const byKey = new Map<string, SetEntry<V>>();
    for (const entry of entries) {
      const one: SetEntry<V> = toEntry(entry, "{ key, value, ttl, tags }");
      byKey.set(checkKey(one.key), one);
    }
    const ofAll = resolveDefaults(options, settings);
    return Array.from(byKey.values(), ({ key, value, ttl, tags }) => ({
      key,
      ttl: ttlOf(ttl, ofAll.ttl),
      tags: tags === undefined ? ofAll.tags : checkEntryTags(tags),
      payload: this.#core.encode(key, value),
    }));
  }

  /** Whether all of them were kept. */
  set(operation: string, entries: readonly EntryWrite[], call: StoreCall): Promise<boolean> {
    const core = this.#core;
    const keys = entries.map(({ key }) => key);
    return this.#change(keys, async () => {
      if (core.skips(entries.length)) return false;
      let outcomes: readonly Kept[];
      try {
        outcomes = await core.tier.write(entries, call);
      } catch (error) {
        if (isHoldfastError(error, "INVALID_ARGUMENT")) throw error;
        core.failOpen(operation, keys, call, error);
        return false;
      }
      let all = true;
      for (const [i, { key }] of entries.entries()) {
        const outcome = outcomes[i] as Kept;
        if ("error" in outcome && call.signal?.aborted) throw outcome.error;
        all = core.written(operation, key, outcome) && all;
      }
      return all;
    });
  }

  /**
   * Gives an entry another ttl in ms, `Infinity` for never; false where there is none, or the store is away. A load
   * that is on its way goes on.
   */
  async touch(key: string, ttl: number, call: StoreCall): Promise<boolean> {
    const core = this.#core;
    if (core.skips(1)) return false;
    core.behind.flush(key);
    try {
      return await core.tier.touch(key, ttl, call);
    } catch (error) {
      core.failOpen("touch", [key], call, error);
      return false;
    }
  }

  /** Whether there was an entry. */
  delete(key: string, call: StoreCall): Promise<boolean> {
    return this.#change([key], () => this.#remove(key, call));
  }

  /** How many there were. */
  deleteMany(keys: readonly string[], call: StoreCall): Promise<number> {
    return this.#change(keys, async () => {
      await this.#reach(call);
      const { backend } = this.#core.instance;
      const remove = (key: string): Promise<boolean> => this.#remove(key, call);
      const removed = await allOrBatchError(keys, remove, call, backend.name, "deleted");
      return removed.filter(Boolean).length;
    });
  }

  /** The value that was there; undefined where there was none, or it cannot be read. */
  take(key: string, call: StoreCall): Promise<V | undefined> {
    const core = this.#core;
    return this.#change([key], async () => {
      const reaching = this.#reach(call);
      if (reaching) await reaching;
      core.behind.flush(key);
      const found = await core.tier.remove(key, true, call);
      if (found) core.counts.deletes++;
      return core.value("take", key, found)?.take();
    });
  }

  async invalidate(tags: readonly string[], call: StoreCall): Promise<void> {
    // A load may still add tags: any of those on their way may be meant.
    await this.#change(undefined, async () => {
      await this.#reach(call);
      await this.#core.tier.invalidate(tags, call);
    });
  }

  async clear(call: StoreCall): Promise<void> {
    await this.#change(undefined, async () => {
      await this.#reach(call);
      await this.#core.tier.clear(call);
    });
  }

  async #remove(key: string, call: StoreCall): Promise<boolean> {
    const core = this.#core;
    const reaching = this.#reach(call);
    if (reaching) await reaching;
    core.behind.flush(key);
    const found = await core.tier.remove(key, false, call);
    if (found) core.counts.deletes++;
    return found !== undefined;
  }

  /**
   * Makes a change. Whoever asks from now on joins no load from before it, and once it is made none from before that:
   * its read may have come first. `keys` are those concerned, all if undefined.
   */
  async #change<T>(keys: readonly string[] | undefined, fn: () => Promise<T>): Promise<T> {
    this.#asking.detach(keys);
    try {
      return await fn();
    } finally {
      this.#asking.detach(keys);
    }
  }

  #reach(call: StoreCall): Promise<void> | undefined {
    const { health } = this.#core;
    return health.isDown ? health.asked(this.#core, call) : undefined;
  }
}
