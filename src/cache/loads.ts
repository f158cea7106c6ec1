import { UnavailableError } from "../base/errors.ts";
import type { Instance } from "../client/index.ts";
import type { Load } from "./load.ts";

/**
 * The loads of a cache that are on their way, by key. An instance that closes gives them up at last.
 *
 * What bounds it: a load is here until its loader has ended, or `loadTimeout` has ended it, and its entry is written or
 * dropped. So there are no more than loaders that run, and the writes that `WritesBehind` holds. A key is here no
 * longer than its load. Without `loadTimeout` a loader that never settles stays, as its own promise does.
 */
export class Loads<V> {
  readonly #instance: Instance;
  /** Those that a caller may join. */
  readonly #byKey = new Map<string, Load<V>>();
  /** All of them, also those that a change has overtaken. */
  readonly #running = new Set<Load<V>>();
  #unregister: (() => void) | undefined;

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  /** The load of `key` that a caller may join. */
  get(key: string): Load<V> | undefined {
    const load = this.#byKey.get(key);
    return load?.signal.aborted ? undefined : load;
  }

  start(load: Load<V>, keys: readonly string[]): void {
    this.#unregister ??= this.#instance.register({ end: () => this.#end() });
    this.#running.add(load);
    for (const key of keys) this.#byKey.set(key, load);
  }

  /** Nobody joins the loads of these keys, or of all keys, that are on their way now. */
  detach(keys: readonly string[] | undefined): void {
    if (keys) for (const key of keys) this.#byKey.delete(key);
    else this.#byKey.clear();
  }

  /** The value of `key` is known to `load`: nobody joins that any more. */
  settled(key: string, load: Load<V>): void {
    if (this.#byKey.get(key) === load) this.#byKey.delete(key);
  }

  over(load: Load<V>): void {
    this.#running.delete(load);
    if (this.#running.size > 0) return;
    this.#unregister?.();
    this.#unregister = undefined;
  }

  async #end(): Promise<void> {
    const reason = new UnavailableError("the instance was closed while the loader ran", {
      backend: this.#instance.backend.name,
    });
    for (const load of this.#running) load.giveUp(reason);
  }
}
