import type { CacheCore } from "./core.ts";
import type { Handout } from "./isolation.ts";
import { Load } from "./load.ts";
import type { BulkLoader, Loader } from "./loaders.ts";
import { Loads } from "./loads.ts";
import type { LoadSettings } from "./options.ts";
import { fill, type LoadPlan, type LoadFunction } from "./filling.ts";
import type { StoreCall } from "./store-health.ts";

/**
 * Asks for values that are loaded where they are missing: one run for all who ask for a key at the same time. Keeps
 * nothing but the loads that are on their way: see {@link Loads} for what bounds them. Who waits is held by the load,
 * and let go of by its signal.
 */
export class Asking<V> {
  readonly #core: CacheCore<V>;
  readonly #loads: Loads<V>;

  constructor(core: CacheCore<V>) {
    this.#core = core;
    this.#loads = new Loads(core.instance);
  }

  /** Nobody joins the loads of these keys, or of all keys, that are on their way now. */
  detach(keys: readonly string[] | undefined): void {
    this.#loads.detach(keys);
  }

  async one(
    key: string,
    loader: Loader<V, V | undefined>,
    entry: LoadSettings,
    call: StoreCall,
    signal: AbortSignal | undefined,
  ): Promise<Handout<V> | undefined> {
    const core = this.#core;
    const running = this.#loads.get(key);
    if (running) {
      core.counts.shared++;
      return running.join(key, signal);
    }
    let found = core.read("getOrSet", key, call);
    if (found && !(found instanceof Promise)) {
      const value = core.decode("getOrSet", key, found);
      if (value) return core.hit(key, value);
      found = undefined;
    }
    const load = this.#start({
      operation: "getOrSet",
      keys: [key],
      found: [found],
      loader: single(key, loader),
      entry,
      call,
    });
    return load.join(key, signal);
  }

  async many(
    keys: readonly string[],
    loader: BulkLoader<V>,
    entry: LoadSettings,
    call: StoreCall,
    signal: AbortSignal | undefined,
  ): Promise<Map<string, V>> {
    const loads = new Map<string, Load<V>>();
    const own: string[] = [];
    for (const key of keys) {
      const running = this.#loads.get(key);
      // Before anything is started that nobody would wait for.
      running?.refuseRing(key);
      if (running) loads.set(key, running);
      else own.push(key);
    }
    this.#core.counts.shared += loads.size;
    if (own.length > 0) {
      const found = own.map((key) => this.#core.read("getOrSetMany", key, call));
      const load = this.#start({ operation: "getOrSetMany", keys: own, found, loader, entry, call });
      for (const key of own) loads.set(key, load);
    }
    const handouts = await Promise.all(keys.map(async (key) => loads.get(key)?.join(key, signal)));
    const values = new Map<string, V>();
    for (const [i, key] of keys.entries()) {
      const handout = handouts[i];
      if (handout) values.set(key, handout.take());
    }
    return values;
  }

  /** An instance that closes waits for it, unless it is the loader that closes it. */
  #start(plan: LoadPlan<V>): Load<V> {
    const { instance, name } = this.#core;
    const load = new Load<V>(instance.userFunctions, name, plan.keys);
    this.#loads.start(load, plan.keys);
    void fill(this.#core, this.#loads, load, plan);
    return load;
  }
}

/** A loader of one key as one of several: an undefined is as good as a missing key. */
function single<V>(key: string, loader: Loader<V, V | undefined>): LoadFunction<V> {
  return async (_, { signal, set, skip, stale }) => {
    const value = await loader({
      key,
      signal,
      get stale() {
        return stale(key);
      },
      set,
      skip,
    });
    return new Map(value === undefined ? [] : [[key, value]]);
  };
}
