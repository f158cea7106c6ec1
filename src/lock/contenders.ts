import { ChurnMap, type Churned } from "../base/churn-map.ts";
import { isSameKey, type Key } from "../base/keys.ts";
import type { Instance } from "../client/index.ts";
import type { Signal } from "../port/index.ts";
import { claimMs } from "./claim.ts";
import { soonestMs } from "./polling.ts";

/** An owner id that waits in the store's queue of a lock. */
export interface Contender {
  readonly lock: Key;
  readonly owner: string;
  /** The store has signalled that it granted the lock to this owner, for its claim. */
  granted(grant: number | undefined): void;
  /** A signal may have been missed: the contender asks the store. */
  wake(): void;
}

/** The place of an owner id. It stays in the map for a while after its contender has left. */
class Place implements Churned {
  readonly key: string;
  gone = false;
  contender: Contender | undefined = undefined;

  constructor(owner: string) {
    this.key = owner;
  }
}

/** The contenders of one instance, by owner id: passes the store's signals of grants on to them. */
export class Contenders {
  readonly #instance: Instance;
  readonly #background: (work: Promise<unknown>) => void;
  /** Where the grid of this process begins, in ms. */
  readonly #phase = Math.random() * soonestMs;
  readonly #places = new ChurnMap((owner) => new Place(owner));
  #listening: "no" | "starting" | "live" = "no";
  /** Those that began to wait before the subscription was live. */
  readonly #early = new Set<Contender>();
  #unsubscribe: (() => void) | undefined;

  /** `background` counts work that no caller waits for. */
  constructor(instance: Instance, background: (work: Promise<unknown>) => void) {
    this.#instance = instance;
    this.#background = background;
  }

  /** A contender waits in the store's queue from now on. */
  add(contender: Contender): void {
    this.#places.use(contender.owner).contender = contender;
  }

  /**
   * The same for a contender whose request is still under way. Without a subscription it is of no use, and costs
   * nothing.
   */
  expect(contender: Contender): void {
    if (this.#listening !== "no") this.add(contender);
  }

  /** A contender has left, or is about to change its owner id. */
  delete(contender: Contender): void {
    this.#early.delete(contender);
    const place = this.#places.get(contender.owner);
    if (!place) return;
    place.contender = undefined;
    this.#places.leave(place);
  }

  /**
   * When a contender asks again if no signal wakes it, by `time.monotonic()`: after `pauseMs` where the store signals
   * none. On a grid, so that the contenders of a process share requests; that of each process begins anywhere. Within
   * five eighths of a claim, so that one lost request does not cost the place in the queue.
   */
  nextAsk(pauseMs: number): number {
    const now = this.#instance.time.monotonic();
    const refresh = claimMs / 2;
    if (this.#signals !== false) return Math.ceil((now + refresh / 4) / refresh) * refresh;
    return Math.ceil((now + Math.min(pauseMs, refresh) - this.#phase) / soonestMs) * soonestMs + this.#phase;
  }

  /**
   * Subscribes to grants, and wakes the contender once the subscription is live: a grant before that may have been
   * missed. If it fails, contenders go by their timers, and the next one tries again.
   */
  listen(contender: Contender): void {
    if (this.#listening === "live" || this.#signals !== true || !this.#instance.session.signals) return;
    this.#early.add(contender);
    if (this.#listening === "starting") return;
    this.#listening = "starting";
    this.#background(this.#subscribe());
  }

  unsubscribe(): void {
    this.#unsubscribe?.();
  }

  /** Whether the store signals grants, where that is known. */
  get #signals(): boolean | undefined {
    return this.#instance.known?.capabilities.push;
  }

  async #subscribe(): Promise<void> {
    try {
      this.#unsubscribe = await this.#instance.subscribe({ grants: true }, (signal) => this.#hear(signal));
      this.#listening = "live";
    } catch (error) {
      this.#listening = "no";
      this.#instance.events.emit("error", { what: "listen for grants", error });
    }
    const early = [...this.#early];
    this.#early.clear();
    if (this.#listening === "live") for (const contender of early) contender.wake();
  }

  #hear(signal: Signal): void {
    if (signal.type === "granted") {
      const contender = this.#places.get(signal.owner)?.contender;
      if (contender && isSameKey(contender.lock, signal.lock)) contender.granted(signal.grant);
    } else if (signal.type === "gap") {
      for (const { contender } of this.#places.toArray()) contender?.wake();
    }
  }
}
