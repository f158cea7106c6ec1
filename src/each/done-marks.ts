import { isHoldfastError } from "../base/errors.ts";
import type { StateStore } from "../entries/index.ts";
import type { Base, Step } from "../state/commit.ts";
import type { Item } from "./item.ts";

/** Marks that are removed with one commit, at most. */
const mostTidied = 256;
/**
 * How long a mark stays once it has nothing to say, in ms: a replica that takes over may be that much behind, and know
 * less of the progress. And how many stay, at most about.
 */
const lingerMs = 2_000;
const mostIdle = 20_000;

/**
 * A mark as stored, beside the records of an item's key: items that have committed, and whose progress may not have.
 */
export interface DoneMark {
  readonly ids: readonly number[];
  /** The round of retries in which it was last written. */
  readonly round: number;
}

interface Mark {
  readonly key: string;
  ids: number[];
  /** `undefined` until it was loaded. */
  base: Base;
  loading: Promise<void> | undefined;
  /** Items that are under way, from before their handler runs until their progress has committed. */
  holds: number;
}

/** Part of a group, and where the version that it gets is to be noted. */
export interface MarkStep {
  readonly step: Step;
  sent(version: Base): unknown;
}

/**
 * The done marks of a lane's keys, where items commit apart from their progress. A mark is written with the item's
 * writes, in one group, under the version that it had: so an item takes effect once, whoever else believes to hold the
 * partition. Once the progress has committed too, the mark has nothing to say and is removed.
 */
export class DoneMarks {
  readonly #store: StateStore<unknown>;
  /** Items before it have come to an end, and that is stored. */
  readonly #from: number;
  readonly #round: number;
  /** Monotonic, in ms. */
  readonly #now: () => number;
  readonly #marks = new Map<string, Mark>();
  /** Marks that have nothing to say, and since when, in that order. */
  readonly #idle = new Map<string, number>();

  constructor(store: StateStore<unknown>, from: number, round: number, now = (): number => performance.now()) {
    this.#store = store;
    this.#from = from;
    this.#round = round;
    this.#now = now;
  }

  /** Keeps the mark of an item's key here until {@link free}; a promise where it has to be loaded first. */
  hold({ key }: Item): Promise<void> | undefined {
    if (key === undefined) return undefined;
    let mark = this.#marks.get(key);
    if (!mark) this.#marks.set(key, (mark = { key, ids: [], base: undefined, loading: undefined, holds: 0 }));
    mark.holds++;
    this.#idle.delete(key);
    if (mark.base !== undefined) return undefined;
    return (mark.loading ??= this.#load(mark));
  }

  /** Whether the item has committed already. Its mark must be held and loaded. */
  has({ key, id }: Item): boolean {
    return key !== undefined && this.#marks.get(key)?.ids.includes(id) === true;
  }

  /** The item is no more under way; with `ended`, its progress has committed. */
  free({ key, id }: Item, ended = false): void {
    const mark = key === undefined ? undefined : this.#marks.get(key);
    if (!mark) return;
    if (ended) mark.ids = mark.ids.filter((other) => other !== id);
    if (--mark.holds > 0 || mark.ids.length > 0) return;
    if (typeof mark.base === "string") this.#idle.set(mark.key, this.#now());
    else this.#marks.delete(mark.key);
  }

  /** Marks items of a key, whose mark is held and loaded. */
  add(key: string, ids: readonly number[]): MarkStep {
    const mark = this.#marks.get(key) as Mark;
    mark.ids.push(...ids);
    const value: DoneMark = { ids: [...mark.ids], round: this.#round };
    return {
      step: { store: this.#store, key, base: mark.base, write: { value, ttl: undefined } },
      sent: (version) => (mark.base = version),
    };
  }

  /** Removes marks that have had nothing to say for a while; some of them, if there are many. */
  tidy(): MarkStep[] {
    const steps: MarkStep[] = [];
    const until = this.#now() - lingerMs;
    for (const [key, since] of this.#idle) {
      if (steps.length === mostTidied || (since > until && this.#idle.size < mostIdle)) break;
      const { base } = this.#marks.get(key) as Mark;
      this.#idle.delete(key);
      this.#marks.delete(key); // who needs it from now on loads it, after it was removed
      steps.push({ step: { store: this.#store, key, base, write: "delete" }, sent: () => undefined });
    }
    return steps;
  }

  /** Nothing is under way any more, and nothing counts that is not stored. */
  forget(): void {
    this.#marks.clear();
    this.#idle.clear();
  }

  async #load(mark: Mark): Promise<void> {
    try {
      const entry = await this.#store.loadEntry(mark.key);
      const { ids } = (entry?.value ?? { ids: [] }) as DoneMark;
      mark.ids = ids.filter((id) => id >= this.#from);
      mark.base = entry?.version ?? null;
    } finally {
      mark.loading = undefined;
    }
  }
}

/** Removes the marks of a finished job: the last ones, and those that crashes have left. */
export async function removeMarks(store: StateStore<unknown>, round: number): Promise<void> {
  for await (const { key, value, version } of store.list()) {
    if ((value as DoneMark).round > round) continue; // another run has begun to retry what failed
    try {
      await store.delete(key, { if: { version } });
    } catch (error) {
      if (!isHoldfastError(error, "CONFLICT")) throw error;
    }
  }
}
