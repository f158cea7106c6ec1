import { deferred, type Deferred } from "../base/async.ts";
import type { Commit } from "./commit.ts";
import { Stage, type Item } from "./item.ts";
import type { LaneCommits } from "./lane-commits.ts";
import type { LaneQueue } from "./lane-queue.ts";
import { isConvicted, losses, withLosses } from "./losses.ts";
import type { WorkerParts } from "./parts.ts";
import type { Hold, PartitionProgress, Suspect } from "./progress.ts";
import type { TrialSource } from "./trials.ts";

/**
 * Items that are started together after a worker was lost: at first; and the most whose numbers are recorded before.
 */
const firstHand = 2;
const mostHand = 32;
/** What a lost worker may have had in hand of a partition: what it was running, and commits that had not succeeded. */
const mostLost = 4096;

/** What hands need of their lane. */
export interface HandsLane extends TrialSource {
  /** Handlers that run. */
  readonly running: number;
  /** It starts nothing more, or what was not committed counts for nothing. */
  readonly broken: boolean;
  readonly queue: LaneQueue;
  readonly commits: Pick<LaneCommits, "flush" | "seal" | "gathered" | "sending">;
  start(item: Item): void;
}

/**
 * What is in hand of a partition, for whoever takes it if this worker is lost; and what those before it have left.
 *
 * As a rule the record says only who works on it. After a worker was lost, items are started in small hands whose
 * numbers are recorded first, twice as many each time, until they are so many that it need not have been one of them.
 * What was in such a hand when another worker was lost is suspect, and runs alone in its process until it has come to
 * an end.
 */
export class Hands {
  readonly #lane: HandsLane;
  readonly #parts: WorkerParts;
  readonly #suspects: Map<number, Suspect>;
  /** Suspects that were met in the input. */
  readonly #met = new Map<number, Item>();
  /**
   * Workers lost in a row of which nobody knows what they were running; and the items that were started, and committed,
   * since.
   */
  #lost: number;
  #started = 0;
  #passed = 0;
  /** How many items are started together. */
  #size: number;
  /** What may run, as it is recorded. Undefined: anything. */
  #hand: readonly Item[] | undefined;
  /** In the recorded hand, and not started. */
  #cleared: Item[] = [];
  #recording = false;
  /** A suspect is to run, or runs. */
  #trying = false;
  /** Until that has come to an end. */
  #trial: Deferred<void> | undefined;
  #alone = false;

  constructor(lane: HandsLane, parts: WorkerParts, { lost = 0, suspects = [], hold }: PartitionProgress) {
    this.#lane = lane;
    this.#parts = parts;
    this.#lost = lost;
    this.#suspects = new Map(suspects.map((suspect) => [suspect.id, suspect]));
    this.#size = lost > 0 ? firstHand : Infinity;
    this.#hand = hold?.hand && [];
  }

  /** Whether any item may be started without a look at it. */
  get easy(): boolean {
    return this.#hand === undefined && this.#suspects.size === 0;
  }

  /** Takes note of an item of the input. One that has cost too many workers is given to no handler. */
  meet(item: Item): void {
    const suspect = this.#suspects.get(item.id);
    if (!suspect) return;
    if (item.stage === Stage.committed) return void this.#suspects.delete(item.id);
    this.#met.set(item.id, item);
    item.lost = suspect.attempts;
    if (!isConvicted(suspect, this.#parts.terms.retries)) return;
    const message = `${suspect.why}, while it ran alone: attempt ${suspect.attempts}`;
    item.fault = { name: "WorkerLostError", message };
  }

  /** An item is started: one that a lost worker may have run before counts that. */
  starting(item: Item): void {
    if (item.fault || this.#lost === 0 || this.#started > mostLost + this.#parts.terms.concurrency) return;
    this.#started++;
    item.lost ||= this.#lost;
  }

  /** Whether {@link next} has an item now. Where what is in hand must be recorded before, that is begun. */
  offer(): boolean {
    const { queue } = this.#lane;
    if (this.easy) return queue.hasReady;
    if (this.#trying || this.#recording) return false;
    if (this.#cleared.length > 0) return true;
    while (queue.hasReady && this.#isSuspect(queue.first)) this.#parts.trials.add(this.#lane, queue.shift());
    if (!queue.hasReady) return false;
    if (this.#hand === undefined && this.#size === Infinity) return true;
    if (this.#isIdle()) void this.#open();
    return false;
  }

  next(): Item {
    return this.#cleared.shift() ?? this.#lane.queue.shift();
  }

  /** Runs a suspect and waits until that has come to an end. What it left is recorded before anything else may run. */
  async tryAlone(item: Item): Promise<void> {
    const { commits } = this.#lane;
    this.#trying = true;
    this.#take([item], true);
    if ((await commits.flush()) && !this.#lane.broken) {
      const trial = (this.#trial = deferred());
      this.#lane.start(item);
      await trial.promise;
    }
    this.#take([]);
    if (item.stage !== Stage.committed && !this.#lane.broken) await commits.flush();
    this.#trial = undefined;
    this.#trying = false;
    this.#parts.pump.poke();
  }

  /** Goes on with what is due, once nothing runs; whether that was to send something. */
  settle(): boolean {
    const { commits } = this.#lane;
    if (!this.#trying && this.#hand === undefined) return false;
    if (commits.gathered === 0) {
      if (this.#isIdle()) this.#trial?.resolve();
      return false;
    }
    // What a suspect rejects with behind its handler's back ends the process before it has committed.
    if (this.#trying) setImmediate(() => commits.seal());
    else commits.seal();
    return true;
  }

  /** Nothing of it is to be started any more. */
  drop(): void {
    this.#cleared = [];
    this.#trial?.resolve();
  }

  committed({ items }: Commit): void {
    const most = mostLost + this.#parts.terms.concurrency;
    if (this.#lost > 0 && (this.#passed += items.length) > most) this.#lost = 0;
    if (this.#met.size === 0) return;
    for (const { id } of items) if (this.#met.delete(id)) this.#suspects.delete(id);
  }

  /**
   * The progress with what is in hand once a commit has succeeded; with nothing of it, where the partition is
   * `through`.
   */
  stamp(progress: PartitionProgress, through: boolean): PartitionProgress {
    if (through) return withLosses(progress, {});
    const { by, who } = this.#parts.terms;
    const left = [...this.#suspects.values()].filter(({ id }) => (this.#met.get(id)?.stage ?? Stage.open) < Stage.sent);
    // What no handler gets costs no worker.
    const open = this.#hand?.filter(({ stage, fault }) => stage === Stage.open && !fault);
    const hand = open?.flatMap((item) => [item.id, item.failures + item.lost + 1]);
    const hold: Hold = { by, who, ...(hand && { hand }), ...(this.#alone && { alone: true }) };
    return withLosses(progress, losses(this.#lost, left), hold);
  }

  #isSuspect(item: Item): boolean {
    return !item.fault && this.#suspects.has(item.id);
  }

  #isIdle(): boolean {
    const { running, commits } = this.#lane;
    return running === 0 && !commits.sending && commits.gathered === 0;
  }

  /** Names what is about to be started; it must be stored before. */
  #take(hand: readonly Item[] | undefined, alone = false): void {
    for (const item of hand ?? []) this.starting(item);
    this.#hand = hand;
    this.#alone = alone;
  }

  /** Records the next hand, and lets it be started. */
  async #open(): Promise<void> {
    const { queue, commits } = this.#lane;
    this.#recording = true;
    const hand: Item[] = [];
    const all = this.#size === Infinity;
    if (!all) {
      while (hand.length < this.#size && queue.hasReady && !this.#isSuspect(queue.first)) hand.push(queue.shift());
      this.#size = this.#size >= mostHand ? Infinity : this.#size * 2;
    }
    this.#take(all ? undefined : hand);
    if (await commits.flush()) this.#cleared = hand;
    this.#recording = false;
    this.#parts.pump.poke();
  }
}
