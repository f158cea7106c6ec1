import { deferred, type Deferred } from "../base/async.ts";
import { Stage, type Item } from "./item.ts";
import type { LaneCommits } from "./lane-commits.ts";
import type { LaneQueue } from "./lane-queue.ts";
import type { WorkerParts } from "./parts.ts";
import type { TrialSource } from "./trials.ts";
import type { Watch } from "./watch.ts";

/** What hands need of their lane. */
export interface HandsLane extends TrialSource {
  /** Handlers that run. */
  readonly running: number;
  /** It starts nothing more, or what was not committed counts for nothing. */
  readonly broken: boolean;
  start(item: Item): void;
}

/** Decides which items of a lane may be started, where what is in hand must be recorded first. */
export class Hands {
  readonly #lane: HandsLane;
  readonly #parts: WorkerParts;
  readonly #watch: Watch;
  readonly #queue: LaneQueue;
  readonly #commits: LaneCommits;
  /** In the recorded hand, and not started. */
  #cleared: Item[] = [];
  #recording = false;
  /** A suspect is to run, or runs. */
  #trying = false;
  #trial: Deferred<void> | undefined;

  constructor(lane: HandsLane, parts: WorkerParts, watch: Watch, queue: LaneQueue, commits: LaneCommits) {
    this.#lane = lane;
    this.#parts = parts;
    this.#watch = watch;
    this.#queue = queue;
    this.#commits = commits;
  }

  /** Whether {@link next} has an item now. Where that needs a record, it is begun. */
  offer(): boolean {
    if (this.#trying || this.#recording) return false;
    if (this.#cleared.length > 0) return true;
    this.#partSuspects();
    if (!this.#queue.hasReady) return false;
    if (!this.#watch.closed && this.#watch.size === Infinity) return true;
    if (this.#idle()) void this.#open();
    return false;
  }

  /** The next item to start. */
  next(): Item {
    return this.#cleared.shift() ?? this.#queue.shift();
  }

  /** Runs a suspect and waits until that has come to an end. What it left is recorded before anything else may run. */
  async tryAlone(item: Item): Promise<void> {
    this.#trying = true;
    this.#watch.take([item], true);
    if ((await this.#commits.flush()) && !this.#lane.broken) {
      const trial = (this.#trial = deferred());
      this.#lane.start(item);
      await trial.promise;
    }
    this.#watch.take([]);
    if (item.stage !== Stage.committed && !this.#lane.broken) await this.#commits.flush();
    this.#trial = undefined;
    this.#trying = false;
    this.#parts.pump.poke();
  }

  /** Goes on with what is due, once nothing runs; whether that was to send something. */
  settle(): boolean {
    if (!this.#trying && !this.#watch.closed) return false;
    if (this.#commits.gathered === 0) {
      if (this.#idle()) this.#trial?.resolve();
      return false;
    }
    // What a suspect rejects with behind its handler's back ends the process before it has committed.
    if (this.#trying) setImmediate(() => this.#commits.seal());
    else this.#commits.seal();
    return true;
  }

  /** Nothing of it is to be started any more. */
  drop(): void {
    this.#cleared = [];
    this.#trial?.resolve();
  }

  /** Hands suspects that are next over, to be run alone. */
  #partSuspects(): void {
    while (this.#queue.hasReady && this.#watch.suspects(this.#queue.first))
      this.#parts.trials.add(this.#lane, this.#queue.shift());
  }

  #idle(): boolean {
    return this.#lane.running === 0 && !this.#commits.sending && this.#commits.gathered === 0;
  }

  /** Records the next hand, and lets it be started. */
  async #open(): Promise<void> {
    this.#recording = true;
    const { size } = this.#watch;
    const hand: Item[] = [];
    if (size < Infinity) {
      while (hand.length < size && this.#queue.hasReady && !this.#watch.suspects(this.#queue.first))
        hand.push(this.#queue.shift());
      this.#watch.grow();
    }
    this.#watch.take(size < Infinity ? hand : undefined);
    if (await this.#commits.flush()) this.#cleared = hand;
    this.#recording = false;
    this.#parts.pump.poke();
  }
}
