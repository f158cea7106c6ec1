import type { Commit } from "./commit.ts";
import { Stage, type Item } from "./item.ts";
import { isConvicted, losses, withLosses } from "./losses.ts";
import type { Hold, PartitionProgress, Suspect } from "./progress.ts";
import type { WorkerTerms } from "./terms.ts";

/**
 * Items that are started together after a worker was lost: at first; and the most whose numbers are recorded before.
 */
const firstHand = 2;
const mostHand = 32;
/** What a lost worker may have had in hand of a partition: what it was running, and commits that had not succeeded. */
const mostLost = 4096;

/**
 * What is in hand of a partition, for whoever takes it if this worker is lost; and what those before it have left.
 *
 * As a rule the record says only who works on it. After a worker was lost, items are started in small hands whose
 * numbers are recorded first, twice as many each time, until they are so many that it need not have been one of them.
 * What was in such a hand when another worker was lost is suspect, and runs alone in its process until it has come to
 * an end.
 */
export class Watch {
  readonly #terms: WorkerTerms;
  readonly #suspects: Map<number, Suspect>;
  /** Those that were met in the input. */
  readonly #met = new Map<number, Item>();
  #lost: number;
  #size: number;
  /** Items that may be started. Undefined: all. */
  #hand: readonly Item[] | undefined;
  #alone = false;
  #started = 0;
  #passed = 0;

  constructor(terms: WorkerTerms, { lost = 0, suspects = [], hold }: PartitionProgress) {
    this.#terms = terms;
    this.#lost = lost;
    this.#suspects = new Map(suspects.map((suspect) => [suspect.id, suspect]));
    this.#size = lost > 0 ? firstHand : Infinity;
    this.#hand = hold?.hand && [];
  }

  /** How many items are started together, at most. */
  get size(): number {
    return this.#size;
  }

  /** Whether any item may be started without a look at it. */
  get easy(): boolean {
    return this.#hand === undefined && this.#suspects.size === 0;
  }

  /** Whether what is in hand is recorded by numbers. */
  get closed(): boolean {
    return this.#hand !== undefined;
  }

  /** Takes note of an item of the input. One that has cost too many workers is given to no handler. */
  meet(item: Item): void {
    const suspect = this.#suspects.get(item.id);
    if (!suspect) return;
    if (item.stage === Stage.committed) return void this.#suspects.delete(item.id);
    this.#met.set(item.id, item);
    item.lost = suspect.attempts;
    if (isConvicted(suspect, this.#terms.retries)) {
      item.fault = {
        name: "WorkerLostError",
        message: `${suspect.why}, while it ran alone: attempt ${suspect.attempts}`,
      };
    }
  }

  /** Whether the item must run alone. */
  suspects(item: Item): boolean {
    return !item.fault && this.#suspects.has(item.id);
  }

  /** An item is started: one that a lost worker may have run before counts that. */
  starting(item: Item): void {
    if (this.#lost === 0 || this.#started > mostLost + this.#terms.concurrency) return;
    this.#started++;
    item.lost ||= this.#lost;
  }

  /** Names what is about to be started; it must be stored before. `undefined`: anything. */
  take(hand: readonly Item[] | undefined, alone = false): void {
    for (const item of hand ?? []) this.starting(item);
    this.#hand = hand;
    this.#alone = alone;
  }

  /** What was in hand has come to an end: the next hand may be larger. */
  grow(): void {
    this.#size = this.#size >= mostHand ? Infinity : this.#size * 2;
  }

  /** These items have committed. */
  committed(commit: Commit): void {
    if (this.#lost > 0 && (this.#passed += commit.items.length) > mostLost + this.#terms.concurrency) this.#lost = 0;
    if (this.#met.size === 0) return;
    for (const { id } of commit.items) if (this.#met.delete(id)) this.#suspects.delete(id);
  }

  /**
   * The progress with what is in hand once a commit has succeeded; with nothing of it, where the partition is
   * `through`.
   */
  stamp(progress: PartitionProgress, through: boolean): PartitionProgress {
    if (through) return withLosses(progress, {});
    const { by, who } = this.#terms;
    const left = [...this.#suspects.values()].filter(({ id }) => (this.#met.get(id)?.stage ?? Stage.open) < Stage.sent);
    const open = this.#hand?.filter(({ stage }) => stage === Stage.open);
    const hand = open?.flatMap((item) => [item.id, item.failures + item.lost + 1]);
    const hold: Hold = { by, who, ...(hand && { hand }), ...(this.#alone && { alone: true }) };
    return withLosses(progress, losses(this.#lost, left), hold);
  }
}
