import { isAway, UnavailableError } from "../base/errors.ts";
import { bounded, type Call, type Instance } from "../client/index.ts";

/** A call of a cache to its store. */
export interface StoreCall extends Call {
  /** When it began, by `time.monotonic()`. */
  readonly since: number;
  /** How long it may take, in ms. */
  readonly timeout: number;
}

/** How much sooner than its time a timer may come, in ms. */
const EARLY_MS = 2;

/** A cache, as the health of its store sees it. */
export interface Patient {
  /** How long the store may take to answer, in ms. */
  readonly timeout: number;
  /** Asks the store for what stands behind `key`. */
  probe(key: string): Promise<unknown>;
  storeDown(error: unknown): void;
  storeUp(durationMs: number): void;
}

interface Outage {
  readonly since: number;
  readonly error: unknown;
  /** The cache that met it first, and the key it asked for: the same is asked again. */
  readonly first: Patient;
  readonly key: string;
  /** Those that were told: no more than the caches of the instance, and let go of when it ends. */
  readonly told: Set<Patient>;
  probing: Promise<void> | undefined;
  /** When the store may be asked again. */
  again: number;
}

/**
 * Whether the store of an instance's caches answers. Once a read got no answer the caches go on without it. A call that
 * comes then has it asked again, in the background, by one request at a time and at most once in the cache's `timeout`;
 * an answer ends the outage.
 *
 * It is judged by what is read: where a store answers and refuses to write (its memory is full), or only writes take
 * too long, its entries are still worth having. It holds one record for an outage, whatever is asked meanwhile.
 */
export class StoreHealth {
  readonly #instance: Instance;
  #outage: Outage | undefined;
  /** When the last outage ended: calls from before it tell nothing new. */
  #endedAt = Number.NEGATIVE_INFINITY;

  static readonly #known = new WeakMap<Instance, StoreHealth>();

  /** One for all caches of the instance. */
  static of(instance: Instance): StoreHealth {
    let health = StoreHealth.#known.get(instance);
    if (!health) StoreHealth.#known.set(instance, (health = new StoreHealth(instance)));
    return health;
  }

  private constructor(instance: Instance) {
    this.#instance = instance;
  }

  /** Whether the store is not to be asked. */
  get isDown(): boolean {
    return this.#outage !== undefined;
  }

  /** A cache goes on without the store: it is told why, and the store is asked again if it is time. */
  skipped(patient: Patient): void {
    const outage = this.#outage;
    if (!outage) return;
    this.#tell(outage, patient);
    if (!outage.probing && this.#instance.time.monotonic() >= outage.again) void this.#probe(outage);
  }

  /**
   * A read failed; or something that is no plain read, which says that the store is away only where it was too late.
   */
  failed(patient: Patient, key: string, call: StoreCall, error: unknown, plain: boolean): void {
    if (this.#outage || call.since < this.#endedAt || !isAway(error)) return;
    const now = this.#instance.time.monotonic();
    const late = now >= call.deadline - EARLY_MS;
    // Whoever gives it less time than the cache does has not found out much.
    if (late ? call.timeout < patient.timeout : !plain) return;
    const outage: Outage = {
      since: now,
      error,
      first: patient,
      key,
      told: new Set(),
      probing: undefined,
      again: now,
    };
    this.#outage = outage;
    this.#tell(outage, patient);
    void this.#probe(outage);
  }

  /**
   * Waits until the store was asked again, if it is away, for what must not be skipped. Rejects with UnavailableError.
   */
  async asked(patient: Patient, call: Call): Promise<void> {
    const outage = this.#outage;
    if (!outage) return;
    const { backend, time } = this.#instance;
    this.#tell(outage, patient);
    await bounded(this.#probe(outage), call, time, backend.name);
    if (this.#outage === outage) {
      const context = { backend: backend.name, cause: outage.error };
      throw new UnavailableError("the store does not answer: nothing was changed", context);
    }
  }

  #tell(outage: Outage, patient: Patient): void {
    if (outage.told.has(patient)) return;
    outage.told.add(patient);
    if (outage.told.size === 1) this.#instance.events.emit("cacheStoreDown", { error: outage.error });
    patient.storeDown(outage.error);
  }

  #probe(outage: Outage): Promise<void> {
    return (outage.probing ??= this.#ask(outage));
  }

  async #ask(outage: Outage): Promise<void> {
    const { time, events } = this.#instance;
    try {
      await outage.first.probe(outage.key);
    } catch (error) {
      // An answer that is no value is an answer.
      if (isAway(error)) {
        outage.probing = undefined;
        outage.again = time.monotonic() + outage.first.timeout;
        return;
      }
    }
    this.#outage = undefined;
    this.#endedAt = time.monotonic();
    const durationMs = this.#endedAt - outage.since;
    events.emit("cacheStoreUp", { durationMs });
    for (const patient of outage.told) patient.storeUp(durationMs);
  }
}
