import type { StateStore } from "../entries/index.ts";
import type { Step } from "../state/commit.ts";
import type { Commit, Death } from "./commit.ts";
import type { Item } from "./item.ts";
import { deadKey, stopKey, type DeadLetter, type StoppedKey } from "./layout.ts";
import { RangeReader, type PartitionProgress, type Position } from "./progress.ts";
import type { Advance } from "./send.ts";
import type { OnDead } from "./types.ts";

/** What a pass does with an item of its partition: hands it out, knows that it came to an end, or has no interest. */
export type Interest = "take" | "ended" | "none";

/** What every pass needs to know. */
export interface PassTerms {
  /** The job's own records. */
  readonly store: StateStore<unknown>;
  readonly partition: number;
  readonly onDead: OnDead;
  /** The job's rounds of retries. */
  readonly round: number;
}

/**
 * One way through a partition's items: the first one, or a round of retries.
 *
 * Until its dead letter has committed, a key is stopped for the time being only: what is refused starts anew, and must
 * find nothing of it.
 */
export abstract class Pass {
  /** Where to read from. */
  abstract readonly from: Position;
  /** The first record number of no interest. */
  abstract readonly until: number;
  /** Most items of a commit. */
  abstract readonly mostItems: number;
  /** Where it is through, so is the partition. */
  abstract readonly isLast: boolean;
  /** Ranges of items that had come to an end when it started. */
  readonly ended: readonly number[];
  protected readonly terms: PassTerms;
  protected readonly reader: RangeReader;
  /** Keys that are stopped for the time being. */
  readonly #fresh = new Set<string>();

  protected constructor(terms: PassTerms, { above }: PartitionProgress) {
    this.terms = terms;
    this.ended = above;
    this.reader = new RangeReader(above);
  }

  /** Must be asked for ascending record numbers. */
  abstract interest(id: number, key: string | undefined): Interest;

  /** The next progress, and the records of dead letters and stopped keys. */
  abstract advance(
    last: PartitionProgress,
    commit: Commit,
    mark: () => Pick<PartitionProgress, "next" | "above" | "end">,
  ): Advance;

  /** Whether the pass is through, once every item of it has committed. */
  abstract isThrough(last: PartitionProgress): boolean;

  /** What is left to write then. */
  abstract finish(last: PartitionProgress): Advance;

  /** Whether the dead letter of an item stops its key. */
  protected abstract stops(item: Item): boolean;

  /** Whether a key is stopped for good; `undefined`: {@link ask}. */
  protected abstract isStopped(key: string): boolean | undefined;

  /** A key is stopped for good. */
  protected abstract stop(key: string): void;

  /** Looks in the store whether a key is stopped. */
  async ask(key: string): Promise<boolean> {
    return (await this.terms.store.load(stopKey(this.terms.partition, key))) !== undefined;
  }

  /** Whether items of the key are passed over; `undefined`: {@link ask}. */
  passesOver(key: string): boolean | undefined {
    return this.#fresh.has(key) || this.isStopped(key);
  }

  /** An item has failed for good: if that stops its key, later items of the key are passed over from now on. */
  died(item: Item): void {
    if (item.key !== undefined && this.stops(item)) this.#fresh.add(item.key);
  }

  /** What the dead letters of a commit have stopped is stopped for good. */
  committed(commit: Commit): void {
    for (const { item } of commit.deaths) {
      if (item.key !== undefined && this.#fresh.delete(item.key)) this.stop(item.key);
    }
  }

  /** Everything starts anew from what has committed. */
  restart(): void {
    this.#fresh.clear();
  }

  /** Writes or removes a record of the job, whatever was there: the lease excludes everybody else. */
  protected put(key: string, value: unknown): Step {
    const write = value === undefined ? "delete" : { value, ttl: undefined };
    return { store: this.terms.store, key, base: undefined, write };
  }

  /** The records of a dead letter, and of the key that it stops. */
  protected recordsOf({ item, error }: Death): Step[] {
    const { partition, round } = this.terms;
    const { id, offset, key } = item;
    const stopped = key !== undefined && this.stops(item);
    const attempts = item.failures + item.lost;
    const letter: DeadLetter = { id, offset, ...(key !== undefined && { key }), error, attempts, stopped, round };
    const steps = [this.put(deadKey(partition, id), letter)];
    if (!stopped) return steps;
    const stop: StoppedKey = { key, id, from: { id, offset }, dead: true, round };
    return [...steps, this.put(stopKey(partition, key), stop)];
  }
}
