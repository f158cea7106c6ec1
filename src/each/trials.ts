import type { StateStore } from "../entries/index.ts";
import { delay } from "./delay.ts";
import type { Item } from "./item.ts";
import type { Lane } from "./lane.ts";
import { aloneKey } from "./layout.ts";
import type { Pump } from "./pump.ts";
import type { WorkerTerms } from "./worker-terms.ts";

/** How often it is looked whether what is under way has ended, in ms. */
const looking = 2;

/** How long it stays known of a process that all it ran was one item, after it was lost, in ms. */
const aloneTtl = 3_600_000;

/** What {@link Trials} need of a worker. */
export interface TrialsHost {
  readonly store0: StateStore<unknown>;
  readonly terms: Pick<WorkerTerms, "by" | "leaseMs">;
  patiently<T>(request: () => Promise<T>): Promise<T | undefined>;
}

/** Runs suspects one by one, while nothing else runs in this process: whatever ends it then, that is the one. */
export class Trials {
  readonly #host: TrialsHost;
  readonly #pump: Pump;
  readonly #signal: AbortSignal;
  #waiting: { readonly lane: Lane; readonly item: Item }[] = [];
  #ended: Promise<void> | undefined;

  /** `signal`: nothing is waited for any more. */
  constructor(host: TrialsHost, pump: Pump, signal: AbortSignal) {
    this.#host = host;
    this.#pump = pump;
    this.#signal = signal;
  }

  /** Resolves when none is under way. */
  get ended(): Promise<void> {
    return this.#ended ?? Promise.resolve();
  }

  add(lane: Lane, item: Item): void {
    this.#waiting.push({ lane, item });
    this.#ended ??= this.#run();
  }

  /** Takes back what the lane wanted to run. */
  drop(lane: Lane): void {
    this.#waiting = this.#waiting.filter((other) => other.lane !== lane);
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#signal.aborted) {
      this.#pump.block(true);
      if (await this.#isQuiet()) await this.#tryAll();
      else {
        // A handler that takes so long must not hold back everybody else's items.
        this.#pump.block(false);
        await delay(this.#host.terms.leaseMs, this.#signal);
      }
    }
    this.#ended = undefined; // before anything is started that may add more
    this.#pump.block(false);
  }

  async #tryAll(): Promise<void> {
    await this.#sayAlone(true);
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) await next.lane.tryAlone(next.item);
    await this.#sayAlone(false);
  }

  /** Says it for the worker's other partitions: their records do not tell that nothing of them is in hand. */
  async #sayAlone(alone: boolean): Promise<void> {
    const { store0, terms } = this.#host;
    const key = aloneKey(terms.by);
    await this.#host.patiently(async () => {
      if (alone) await store0.save(key, true, { ttl: aloneTtl });
      else await store0.delete(key);
    });
  }

  /** Waits for what is under way, for as long as a lease. */
  async #isQuiet(): Promise<boolean> {
    const end = performance.now() + this.#host.terms.leaseMs;
    while (this.#pump.running > 0 && performance.now() < end && !this.#signal.aborted)
      await delay(looking, this.#signal);
    return this.#pump.running === 0;
  }
}
