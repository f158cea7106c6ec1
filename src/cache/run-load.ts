import { InvalidArgumentError } from "../base/errors.ts";
import { toMsOrNever } from "../base/durations.ts";
import type { Call } from "../client/index.ts";
import type { Engine } from "./engine.ts";
import type { LoadOutcome } from "./events.ts";
import { shared, type Handout } from "./isolation.ts";
import type { Load } from "./load.ts";
import type { BulkLoadContext, LateOptions } from "./loaders.ts";
import type { Loads } from "./loads.ts";
import { checkEntryTags, type EntrySettings } from "./options.ts";
import type { Entry, Found, Ground, Kept } from "./tier.ts";

/** A loader of one key or several, as the cache runs it. `stale` gives what a key's entry was. */
export type Run<V> = (
  keys: readonly string[],
  context: BulkLoadContext & { readonly stale: (key: string) => V | undefined },
) => ReadonlyMap<string, V> | PromiseLike<ReadonlyMap<string, V>>;

/** What a load is made of. */
export interface LoadPlan<V> {
  readonly operation: string;
  readonly keys: readonly string[];
  /** What was found of each key, or is being looked for, in their order. */
  readonly found: readonly (Found | undefined | Promise<Found | undefined>)[];
  readonly run: Run<V>;
  readonly entry: EntrySettings;
  /** A new call for each step, for the loader's time is not the store's. */
  readonly call: () => Call;
}

/** Brings a load to its end. Never rejects: who waits for the load is told. */
export async function runLoad<V>(engine: Engine<V>, loads: Loads<V>, load: Load<V>, plan: LoadPlan<V>): Promise<void> {
  const settle = (key: string, value: Handout<V> | undefined): void => {
    // Before its waiters go on, so that what they do next meets no load that is over.
    loads.settled(key, load);
    load.settle(key, value);
  };
  try {
    const missing: string[] = [];
    const found = await Promise.all(plan.found.map(async (one) => one));
    for (const [i, key] of plan.keys.entries()) {
      const value = engine.value(plan.operation, key, found[i]);
      if (value) settle(key, value);
      else missing.push(key);
    }
    if (missing.length === 0) return;
    load.signal.throwIfAborted();
    engine.instance.assertTaking();
    await new Filling(engine, load, plan, missing).fill(settle);
  } catch (error) {
    for (const key of plan.keys) loads.settled(key, load);
    load.fail(error);
  } finally {
    loads.over(load);
  }
}

/** Loads what is missing and keeps it. */
class Filling<V> {
  readonly #engine: Engine<V>;
  readonly #load: Load<V>;
  readonly #plan: LoadPlan<V>;
  readonly #missing: readonly string[];
  #ttl: number;
  #tags: readonly string[];
  #skip = false;
  #returned = false;

  constructor(engine: Engine<V>, load: Load<V>, plan: LoadPlan<V>, missing: readonly string[]) {
    this.#engine = engine;
    this.#load = load;
    this.#plan = plan;
    this.#missing = missing;
    this.#ttl = plan.entry.ttl;
    this.#tags = plan.entry.tags;
  }

  async fill(settle: (key: string, value: Handout<V> | undefined) => void): Promise<void> {
    const ground = await this.#prepare();
    this.#load.signal.throwIfAborted();
    const { time } = this.#engine.instance;
    const start = time.monotonic();
    let values: ReadonlyMap<string, V>;
    try {
      values = await this.#values(ground);
    } catch (error) {
      this.#engine.counts.loadErrors += this.#missing.length;
      this.#tell(time.monotonic() - start, () => "failed");
      throw error;
    }
    const durationMs = time.monotonic() - start;
    this.#engine.counts.loads += this.#missing.length;
    const entries = this.#encode(values);
    const outcomes = await this.#keep(ground, entries);
    this.#tell(
      durationMs,
      (key) => outcomes.get(key) ?? (this.#skip || values.get(key) === undefined ? "skipped" : "unkept"),
    );
    const payloads = new Map(entries.map(({ key, payload }) => [key, payload]));
    for (const key of this.#missing) {
      const value = values.get(key);
      const payload = payloads.get(key);
      if (value === undefined) settle(key, undefined);
      else if (payload === undefined || this.#engine.settings.isolate === "reference") settle(key, shared(value));
      else settle(key, this.#engine.decode(this.#plan.operation, key, { value: payload }) ?? shared(value));
    }
  }

  /** Undefined where the store cannot be asked: then nothing is kept. */
  async #prepare(): Promise<Ground | undefined> {
    const call = this.#plan.call();
    try {
      return await this.#engine.tier.prepare(this.#missing, this.#tags, call);
    } catch (error) {
      return this.#engine.failOpen(this.#plan.operation, this.#onlyKey, call, error);
    }
  }

  async #values(ground: Ground | undefined): Promise<ReadonlyMap<string, V>> {
    const engine = this.#engine;
    const context = {
      signal: this.#load.signal,
      set: (options: LateOptions) => this.#late(options),
      skip: () => {
        this.#skip = true;
      },
      stale: (key: string): V | undefined => {
        const found = ground?.stale.get(key);
        return found && engine.decode(this.#plan.operation, key, found)?.take();
      },
    };
    const values: unknown = await this.#plan.run(this.#missing, context);
    this.#returned = true;
    if (!(values instanceof Map)) throw new InvalidArgumentError("a loader of several keys must return a Map");
    return values as ReadonlyMap<string, V>;
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
        entries.push({ key, payload: this.#engine.encode(key, value) });
      } catch (error) {
        if (!this.#skip) this.#engine.report(this.#plan.operation, key, error);
      }
    }
    return entries;
  }

  async #keep(ground: Ground | undefined, entries: readonly Entry[]): Promise<ReadonlyMap<string, LoadOutcome>> {
    const outcomes = new Map<string, LoadOutcome>();
    if (!ground || this.#skip || entries.length === 0) return outcomes;
    const call = this.#plan.call();
    let kept: readonly Kept[];
    try {
      kept = await this.#engine.tier.keep(ground, entries, { ttl: this.#ttl, tags: this.#tags }, call);
    } catch (error) {
      this.#engine.failOpen(this.#plan.operation, this.#onlyKey, call, error);
      return outcomes;
    }
    for (const [i, { key }] of entries.entries()) {
      const outcome = kept[i] as Kept;
      const written = this.#engine.written(this.#plan.operation, key, outcome);
      outcomes.set(key, written ? "kept" : "error" in outcome ? "unkept" : "superseded");
    }
    return outcomes;
  }

  #tell(durationMs: number, outcome: (key: string) => LoadOutcome): void {
    const { events } = this.#engine;
    if (!events.has("load")) return;
    for (const key of this.#missing) events.emit("load", { key, durationMs, outcome: outcome(key) });
  }

  get #onlyKey(): string | undefined {
    return this.#missing.length === 1 ? this.#missing[0] : undefined;
  }
}
