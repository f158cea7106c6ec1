import type { StateStore } from "../entries/index.ts";
import { delay } from "./delay.ts";
import type { Item } from "./item.ts";
import { aloneKey } from "./layout.ts";
import type { Outage } from "./outage.ts";
import type { Pump } from "./pump.ts";
import type { WorkerTerms } from "./terms.ts";

/** How often it is looked whether what is under way has ended, in ms. */
const looking = 2;

/** How long it stays known of a process that all it ran was one item, after it was lost, in ms. */
const aloneTtl = 3_600_000;

/** Who has suspects. */
export interface TrialSource {
  /** Runs an item while nothing else runs in this process; resolves when it has come to an end. */
  tryAlone(item: Item): Promise<void>;
}

/** Runs suspects one by one, while nothing else runs in this process: whatever ends it then, that is the one. */
export class Trials {
  readonly #store: StateStore<unknown>;
  readonly #terms: WorkerTerms;
  readonly #outage: Outage;
  readonly #pump: Pump;
  readonly #stop: AbortSignal;
  #waiting: { readonly source: TrialSource; readonly item: Item }[] = [];
  #ended: Promise<void> | undefined;

  /** `stop`: nothing is waited for any more. */
  constructor(store: StateStore<unknown>, terms: WorkerTerms, outage: Outage, pump: Pump, stop: AbortSignal) {
    this.#store = store;
    this.#terms = terms;
    this.#outage = outage;
    this.#pump = pump;
    this.#stop = stop;
  }

  /** Resolves when none is under way. */
  get ended(): Promise<void> {
    return this.#ended ?? Promise.resolve();
  }

  add(source: TrialSource, item: Item): void {
    this.#waiting.push({ source, item });
    this.#ended ??= this.#run();
  }

  /** Takes back what was added. */
  drop(source: TrialSource): void {
    this.#waiting = this.#waiting.filter((other) => other.source !== source);
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#stop.aborted) {
      const goOn = this.#pump.pause();
      const quiet = await this.#isQuiet();
      if (quiet) await this.#tryAll();
      goOn();
      // A handler that takes so long must not hold back everybody else's items.
      if (!quiet) await delay(this.#terms.leaseMs, this.#stop);
    }
    this.#ended = undefined; // in the same step as the look: whatever is started now may add more
  }

  async #tryAll(): Promise<void> {
    await this.#sayAlone(true);
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) await next.source.tryAlone(next.item);
    await this.#sayAlone(false);
  }

  /** Says it for the worker's other partitions: their records do not tell that nothing of them is in hand. */
  async #sayAlone(alone: boolean): Promise<void> {
    const key = aloneKey(this.#terms.by);
    await this.#outage.patiently(async () => {
      if (alone) await this.#store.save(key, true, { ttl: aloneTtl });
      else await this.#store.delete(key);
    });
  }

  /** Waits for what is under way, for as long as a lease. */
  async #isQuiet(): Promise<boolean> {
    const end = performance.now() + this.#terms.leaseMs;
    while (this.#pump.running > 0 && performance.now() < end && !this.#stop.aborted) await delay(looking, this.#stop);
    return this.#pump.running === 0;
  }
}
