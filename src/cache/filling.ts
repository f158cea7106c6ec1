import { InvalidArgumentError, LoadTimeoutError } from "../base/errors.ts";
import { toMsOrNever } from "../base/durations.ts";
import type { Timer } from "../base/time.ts";
import type { CacheCore } from "./core.ts";
import type { LoadOutcome } from "./events.ts";
import { shared, type Handout } from "./isolation.ts";
import type { Load } from "./load.ts";
import type { BulkLoadContext, LateOptions } from "./loaders.ts";
import type { Loads } from "./loads.ts";
import { checkEntryTags, type LoadSettings } from "./options.ts";
import type { StoreCall } from "./store-health.ts";
import type { Entry, Found, Ground, Kept } from "./tier.ts";

/** A loader of one key or several, as the cache runs it. `stale` gives what a key's entry was. */
export type LoadFunction<V> = (
  keys: readonly string[],
  context: BulkLoadContext & { readonly stale: (key: string) => V | undefined },
) => ReadonlyMap<string, V> | PromiseLike<ReadonlyMap<string, V>>;

/** What a load is made of. */
export interface LoadPlan<V> {
  readonly operation: string;
  readonly keys: readonly string[];
  /** What was found of each key, or is being looked for, in their order. */
  readonly found: readonly (Found | undefined | Promise<Found | undefined>)[];
  readonly loader: LoadFunction<V>;
  readonly entry: LoadSettings;
  /**
   * What is asked before the loader runs. What is asked after it has as long once more: the loader's time is not the
   * store's.
   */
  readonly call: StoreCall;
}

/** Brings a load to its end, which is when it is written. Never rejects: who waits for the load is told. */
export async function fill<V>(core: CacheCore<V>, loads: Loads<V>, load: Load<V>, plan: LoadPlan<V>): Promise<void> {
  const settle = (key: string, value: Handout<V> | undefined): void => {
    // Before its waiters go on, so that what they do next meets no load that is over.
    loads.settled(key, load);
    load.settle(key, value);
  };
  try {
    const missing: string[] = [];
    const found = await Promise.all(plan.found.map(async (one) => one));
    for (const [i, key] of plan.keys.entries()) {
      const value = core.value(plan.operation, key, found[i]);
      if (value) settle(key, value);
      else missing.push(key);
    }
    if (missing.length === 0) return;
    load.signal.throwIfAborted();
    core.instance.assertTaking();
    await new Filling(core, load, plan, missing).fill(settle);
  } catch (error) {
    for (const key of plan.keys) loads.settled(key, load);
    load.fail(error);
  } finally {
    loads.over(load);
    load.end();
  }
}

/** Loads what is missing and keeps it. */
class Filling<V> {
  readonly #core: CacheCore<V>;
  readonly #load: Load<V>;
  readonly #plan: LoadPlan<V>;
  readonly #missing: readonly string[];
  #ttl: number;
  #tags: readonly string[];
  #skip = false;
  #returned = false;

  constructor(core: CacheCore<V>, load: Load<V>, plan: LoadPlan<V>, missing: readonly string[]) {
    this.#core = core;
    this.#load = load;
    this.#plan = plan;
    this.#missing = missing;
    this.#ttl = plan.entry.ttl;
    this.#tags = plan.entry.tags;
  }

  async fill(settle: (key: string, value: Handout<V> | undefined) => void): Promise<void> {
    const ground = await this.#prepare();
    this.#load.signal.throwIfAborted();
    const { time } = this.#core.instance;
    const start = time.monotonic();
    let values: ReadonlyMap<string, V>;
    try {
      values = await this.#values(ground);
    } catch (error) {
      this.#core.counts.loadErrors += this.#missing.length;
      this.#tell(time.monotonic() - start, () => "failed");
      throw error;
    }
    const durationMs = time.monotonic() - start;
    this.#core.counts.loads += this.#missing.length;
    const entries = this.#encode(values);
    const kept = this.#keep(await this.#extend(ground, entries), entries);
    const payloads = new Map(entries.map(({ key, payload }) => [key, payload]));
    for (const key of this.#missing) {
      const value = values.get(key);
      const payload = payloads.get(key);
      if (value === undefined) settle(key, undefined);
      else if (payload === undefined || this.#core.settings.isolate === "reference") settle(key, shared(value));
      else settle(key, this.#core.decode(this.#plan.operation, key, { value: payload }) ?? shared(value));
    }
    // Its callers have it by now.
    const outcomes = await kept;
    this.#tell(
      durationMs,
      (key) => outcomes.get(key) ?? (this.#skip || values.get(key) === undefined ? "skipped" : "unkept"),
    );
  }

  /** Undefined where the store cannot be asked: then nothing is kept. */
  async #prepare(): Promise<Ground | undefined> {
    const { call, operation } = this.#plan;
    if (this.#core.skips(0)) return undefined;
    try {
      return await this.#core.tier.prepare(this.#missing, this.#tags, call);
    } catch (error) {
      return this.#core.failOpen(operation, this.#missing, call, error);
    }
  }

  /** The same with the tags that the loader has named. Undefined where nothing is kept. */
  #extend(ground: Ground | undefined, entries: readonly Entry[]): Ground | undefined | Promise<Ground | undefined> {
    if (!ground || this.#skip || entries.length === 0 || this.#core.skips(0)) return undefined;
    const call = this.#call();
    const extended = this.#core.tier.extend(ground, this.#tags, call);
    if (!(extended instanceof Promise)) return extended;
    return extended.catch((error: unknown) => this.#core.failOpen(this.#plan.operation, this.#missing, call, error));
  }

  async #values(ground: Ground | undefined): Promise<ReadonlyMap<string, V>> {
    const core = this.#core;
    const context = {
      signal: this.#load.signal,
      set: (options: LateOptions) => this.#late(options),
      skip: () => {
        this.#skip = true;
      },
      stale: (key: string): V | undefined => {
        const found = ground?.stale.get(key);
        return found && core.decode(this.#plan.operation, key, found)?.take();
      },
    };
    const values: unknown = await this.#bounded(async () => this.#plan.loader(this.#missing, context));
    this.#returned = true;
    if (!(values instanceof Map)) throw new InvalidArgumentError("a loader of several keys must return a Map");
    return values as ReadonlyMap<string, V>;
  }

  /** Runs the loader for as long as it may. */
  async #bounded<T>(loader: () => Promise<T>): Promise<T> {
    const { loadTimeout } = this.#plan.entry;
    const { time, backend } = this.#core.instance;
    let timer: Timer | undefined;
    if (loadTimeout !== undefined) {
      const late = (): void => {
        const context = { backend: backend.name, key: this.#missing[0] };
        this.#load.giveUp(new LoadTimeoutError(`the loader did not end within ${loadTimeout} ms`, context));
      };
      timer = time.after(loadTimeout, late, { ref: true });
    }
    try {
      return await this.#load.run(loader);
    } finally {
      timer?.clear();
    }
  }

  #late(options: LateOptions): void {
    if (this.#returned) return;
    const ttl = options.ttl === undefined ? this.#ttl : toMsOrNever(options.ttl, "ttl");
    const tags = options.tags === undefined ? this.#tags : checkEntryTags(options.tags, this.#tags);
    this.#ttl = ttl;
    this.#tags = tags;
  }

  /** What can be stored of it; of what was skipped too, since the callers' copies are made of it. */
  #encode(values: ReadonlyMap<string, V>): Entry[] {
    const entries: Entry[] = [];
    for (const key of this.#missing) {
      const value = values.get(key);
      if (value === undefined) continue;
      try {
        entries.push({ key, payload: this.#core.encode(key, value) });
      } catch (error) {
        if (!this.#skip) this.#core.unkept(this.#plan.operation, key, error);
      }
    }
    return entries;
  }

  /** Writes what was loaded; what became of it is known when nobody waits for it any more. */
  async #keep(ground: Ground | undefined, entries: readonly Entry[]): Promise<ReadonlyMap<string, LoadOutcome>> {
    const core = this.#core;
    const outcomes = new Map<string, LoadOutcome>();
    if (!ground) return outcomes;
    let kept: readonly Kept[];
    try {
      kept = await core.behind.run(entries, async () => {
        if (core.skips(0)) return [];
        return core.tier.keep(ground, entries, this.#ttl, this.#call());
      });
    } catch (error) {
      core.report(this.#plan.operation, this.#onlyKey, error);
      return outcomes;
    }
    for (const [i, outcome] of kept.entries()) {
      const { key } = entries[i] as Entry;
      const written = core.written(this.#plan.operation, key, outcome);
      outcomes.set(key, written ? "kept" : "error" in outcome ? "unkept" : "superseded");
    }
    return outcomes;
  }

  #call(): StoreCall {
    return this.#core.call({ timeout: this.#plan.call.timeout });
  }

  #tell(durationMs: number, outcome: (key: string) => LoadOutcome): void {
    const { events } = this.#core;
    if (!events.has("load")) return;
    for (const key of this.#missing) events.emit("load", { key, durationMs, outcome: outcome(key) });
  }

  get #onlyKey(): string | undefined {
    return this.#missing.length === 1 ? this.#missing[0] : undefined;
  }
}
