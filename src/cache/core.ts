import { Emitter } from "../base/emitter.ts";
import { checkName } from "../base/keys.ts";
import { checkSignal, timeoutMs, type CallOptions, type Instance } from "../client/index.ts";
import { decodeWith, encodeWith } from "../codec/index.ts";
import type { Payload } from "../port/index.ts";
import type { CacheEvents, CacheStats } from "./events.ts";
import { isolated, type Handout } from "./isolation.ts";
import type { CacheEntry, CacheSettings } from "./options.ts";
import { StoreHealth, type Patient, type StoreCall } from "./store-health.ts";
import { StoreTier } from "./store-tier.ts";
import type { Found, Kept, Shown, Tier } from "./tier.ts";
import { WritesBehind } from "./writes-behind.ts";

type Counts = { -readonly [Name in keyof CacheStats]: number };

/** What the calls of a cache have in common: its tier, its values, its counts, and how it fails open. */
export class CacheCore<V> implements Patient {
  readonly instance: Instance;
  readonly name: string;
  readonly settings: CacheSettings;
  readonly tier: Tier;
  readonly health: StoreHealth;
  readonly behind: WritesBehind;
  readonly events = new Emitter<CacheEvents>();
  /** Values of what is in this process, decoded once. They go with the entry. */
  readonly #decoded = new WeakMap<Found, Handout<V>>();
  readonly counts: Counts = {
    hits: 0,
    misses: 0,
    loads: 0,
    loadErrors: 0,
    shared: 0,
    sets: 0,
    deletes: 0,
    evictions: 0,
    errors: 0,
    skipped: 0,
  };
  #warned = false;
  /** `skipped` when this outage of the store was told. */
  #skippedBefore = 0;

  constructor(instance: Instance, name: string, settings: CacheSettings) {
    this.instance = instance;
    this.name = checkName(name);
    this.settings = settings;
    this.health = StoreHealth.of(instance);
    this.behind = new WritesBehind(instance.backend.name);
    this.tier = new StoreTier(instance, name, settings, {
      evicted: (key) => {
        this.counts.evictions++;
        this.events.emit("evict", { key });
      },
      failed: (operation, key, error) => this.report(operation, key, error),
    });
  }

  get timeout(): number {
    return this.settings.timeout;
  }

  /**
   * Resolves a call's options: checks them and starts its clock. Throws its signal's reason when that is aborted. A
   * call for several callers is `shared`: the signal of one does not end it. `usual` is its timeout unless it says
   * otherwise, in ms.
   */
  call(options: CallOptions | undefined, shared = false, usual = this.timeout): StoreCall {
    const own = checkSignal(options?.signal);
    own?.throwIfAborted();
    const signal = shared ? undefined : own;
    const since = this.instance.time.monotonic();
    const timeout = timeoutMs(options?.timeout, usual);
    return { signal, since, timeout, deadline: since + timeout };
  }

  /**
   * Reads an entry; a store that fails is one without it, and one that is away is not asked. Rejects when the caller
   * has given up.
   */
  read(operation: string, key: string, call: StoreCall): Found | undefined | Promise<Found | undefined> {
    if (this.skips(1)) return undefined;
    this.behind.flush(key);
    try {
      const found = this.tier.read(key, call);
      return found instanceof Promise
        ? found.catch((error: unknown) => this.#unread(operation, key, call, error))
        : found;
    } catch (error) {
      return this.#unread(operation, key, call, error);
    }
  }

  /** As {@link read}, of whether there is an entry. */
  has(operation: string, key: string, call: StoreCall): boolean | Promise<boolean> {
    if (this.skips(1)) return false;
    this.behind.flush(key);
    const missed = (error: unknown): boolean => this.#unread(operation, key, call, error) ?? false;
    try {
      const there = this.tier.has(key, call);
      return there instanceof Promise ? there.catch(missed) : there;
    } catch (error) {
      return missed(error);
    }
  }

  /** As {@link read}, of the value with all that is known of the entry; counted as a hit or a miss. */
  async entry(operation: string, key: string, call: StoreCall): Promise<CacheEntry<V> | undefined> {
    const shown = await this.#shown(operation, key, call);
    const handout = this.value(operation, key, shown);
    if (!handout || !shown) return undefined;
    const { expiresAt, tags } = shown;
    const value = handout.take();
    return expiresAt === undefined ? { key, value, tags } : { key, value, expiresAt, tags };
  }

  async #shown(operation: string, key: string, call: StoreCall): Promise<Shown | undefined> {
    if (this.skips(1)) return undefined;
    this.behind.flush(key);
    try {
      return await this.tier.show(key, call);
    } catch (error) {
      return this.#unread(operation, key, call, error);
    }
  }

  /** Whether the store is away, so that these many keys are not asked for. */
  skips(keys: number): boolean {
    if (!this.health.isDown) return false;
    this.health.skipped(this);
    this.counts.skipped += keys;
    return true;
  }

  async probe(key: string): Promise<void> {
    await this.tier.prepare([key], [], this.call(undefined));
  }

  storeDown(error: unknown): void {
    this.#skippedBefore = this.counts.skipped;
    this.events.emit("storeDown", { error });
  }

  storeUp(durationMs: number): void {
    this.events.emit("storeUp", { durationMs, skipped: this.counts.skipped - this.#skippedBefore });
  }

  /**
   * The value of an entry for those who asked for it, counted as a hit; a miss where there is none or it is unreadable.
   */
  value(operation: string, key: string, found: Found | undefined): Handout<V> | undefined {
    const handout = found && this.decode(operation, key, found);
    if (handout) return this.hit(key, handout);
    this.counts.misses++;
    if (this.events.has("miss")) this.events.emit("miss", { key });
    return undefined;
  }

  hit(key: string, handout: Handout<V>): Handout<V> {
    this.counts.hits++;
    if (this.events.has("hit")) this.events.emit("hit", { key });
    return handout;
  }

  /** Undefined, and an event, where the payload cannot be read. */
  decode(operation: string, key: string, found: Found): Handout<V> | undefined {
    const known = this.#decoded.get(found);
    if (known) return known;
    const where = { key, backend: this.instance.backend.name };
    try {
      const decode = (): V => decodeWith(this.settings.codec, found.value, where) as V;
      const handout = isolated(this.settings.isolate, decode);
      if (this.tier.inProcess) this.#decoded.set(found, handout);
      return handout;
    } catch (error) {
      this.report(operation, key, error);
      return undefined;
    }
  }

  /** Throws UnsupportedValueError. */
  encode(key: string, value: unknown): Payload {
    return encodeWith(this.settings.codec, value, { key, backend: this.instance.backend.name });
  }

  /** Counts what was written and reports what was not; whether the entry was. */
  written(operation: string, key: string, outcome: Kept): boolean {
    if ("error" in outcome) this.report(operation, key, outcome.error);
    else if (outcome.kept) this.counts.sets++;
    return "kept" in outcome && outcome.kept;
  }

  /**
   * What a failed call comes to: its error if the caller has given up, else nothing found and an event. `keys`: what it
   * was about.
   */
  failOpen(operation: string, keys: readonly string[], call: StoreCall, error: unknown): undefined {
    return this.#fail(operation, keys, call, error, false);
  }

  #unread(operation: string, key: string, call: StoreCall, error: unknown): undefined {
    return this.#fail(operation, [key], call, error, true);
  }

  #fail(operation: string, keys: readonly string[], call: StoreCall, error: unknown, plain: boolean): undefined {
    if (call.signal?.aborted) throw error;
    const [key] = keys;
    this.report(operation, keys.length === 1 ? key : undefined, error);
    if (key !== undefined) this.health.failed(this, key, call, error, plain);
    return undefined;
  }

  /** Reports a loaded value that cannot be stored. Of the first it warns: nothing of its kind will ever be kept. */
  unkept(operation: string, key: string, error: unknown): void {
    this.report(operation, key, error);
    if (this.#warned) return;
    this.#warned = true;
    const why = error instanceof Error ? error.message : String(error);
    const text = `the cache ${JSON.stringify(this.name)} does not keep what a loader of ${operation} gave: ${why}`;
    process.emitWarning(text, { type: "HoldfastWarning", code: "HOLDFAST_UNKEPT" });
  }

  report(operation: string, key: string | undefined, error: unknown): void {
    this.counts.errors++;
    this.events.emit("error", { operation, key, error });
    this.instance.events.emit("cacheError", { cache: this.name, operation, key, error });
  }
}
