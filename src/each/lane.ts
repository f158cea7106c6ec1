import { UnsupportedError } from "../base/errors.ts";
import { tagOf } from "../base/tags.ts";
import type { Attempt, Use } from "./attempt.ts";
import { Context } from "./context.ts";
import { DoneMarks } from "./done-marks.ts";
import { Hands, type HandsLane } from "./hands.ts";
import { faultOf, Stage, type Fault, type Item } from "./item.ts";
import { LaneCommits } from "./lane-commits.ts";
import { LaneQueue } from "./lane-queue.ts";
import type { PartitionRecord } from "./partition-record.ts";
import type { WorkerParts } from "./parts.ts";
import type { Pass } from "./pass.ts";
import type { PumpSource } from "./pump.ts";

/** How often in a row an item may run for nothing, before it runs alone. */
const mostStale = 3;
/** Longest wait before an item is tried again, in ms. */
const longestBackoff = 60_000;

/**
 * Why a lane ended: its pass is through; it was given up; its lease is lost; or nobody knows what its last commit did.
 */
export type LaneEnd = "passed" | "drained" | "lost" | "unsure";

/**
 * One pass through a partition that this worker holds: handles its items, each key's one after the other, and commits.
 */
export class Lane implements HandsLane, PumpSource {
  readonly record: PartitionRecord;
  readonly pass: Pass;
  readonly queue: LaneQueue;
  readonly commits: LaneCommits;
  /** Resolves when nothing of it runs any more. */
  readonly ended: Promise<LaneEnd>;
  readonly #parts: WorkerParts;
  readonly #hands: Hands;
  /** Where items commit apart from their progress. */
  readonly #marks: DoneMarks | undefined;
  #running = 0;
  #recovering = false;
  #stopping: LaneEnd | undefined;
  #end!: (why: LaneEnd) => void;

  constructor(record: PartitionRecord, pass: Pass, parts: WorkerParts) {
    const { progress } = record.saved;
    const { marksStore } = parts;
    this.record = record;
    this.pass = pass;
    this.queue = new LaneQueue(pass.from);
    this.#parts = parts;
    this.#marks = marksStore && new DoneMarks(marksStore, pass.from.id, progress.round);
    this.commits = new LaneCommits(parts, record, this.queue, this.#marks, {
      mostItems: pass.mostItems,
      advance: (last, commit) => {
        const next = pass.advance(last, commit, () => this.queue.mark(pass.ended));
        return { ...next, progress: this.#hands.stamp(next.progress, pass.isLast && next.progress.end) };
      },
      committed: (commit) => {
        pass.committed(commit);
        this.#hands.committed(commit);
        parts.tally.committed(commit);
        this.#goOn();
      },
      refused: (commit, error) => {
        parts.tally.refused(record.partition, record.lease.fence, commit, error);
        this.#goOn();
      },
    });
    this.#hands = new Hands(this, parts, progress);
    this.ended = new Promise((resolve) => (this.#end = resolve));
    const { signal } = record.lease;
    signal.addEventListener("abort", () => this.stop("lost"), { once: true });
    if (signal.aborted) queueMicrotask(() => this.stop("lost"));
  }

  /** Handlers that run. */
  get running(): number {
    return this.#running;
  }

  get broken(): boolean {
    return this.#stopping !== undefined || this.commits.refusal !== undefined;
  }

  /** Takes an item of its partition. Must be called in the order of the input. */
  take(item: Item): void {
    const interest = this.pass.interest(item.id, item.key);
    if (interest === "none") return;
    if (interest === "ended") item.stage = Stage.committed;
    if (!this.#hands.easy) this.#hands.meet(item);
    this.queue.take(item);
  }

  /** Whether an item can be started now. Where what is in hand must be recorded before, that is begun. */
  offer(): boolean {
    if (this.#stopping !== undefined || !this.commits.hasRoom(this.#running)) return false;
    return this.#hands.offer();
  }

  startNext(): void {
    this.start(this.#hands.next());
  }

  async tryAlone(item: Item): Promise<void> {
    if (this.wants(item)) await this.#hands.tryAlone(item);
  }

  wants(item: Item): boolean {
    return item.stage === Stage.open && !this.broken;
  }

  start(item: Item): void {
    this.#hands.starting(item);
    this.#running++;
    this.#parts.pump.started();
    const passed = item.key === undefined ? false : this.pass.passesOver(item.key);
    const loading = passed ? undefined : this.#marks?.hold(item);
    if (passed === undefined || loading) void this.#ask(item, passed, loading);
    else this.#begin(item, passed, !passed);
  }

  /** Starts nothing more; ends when what is in hand has committed. What a lost lane commits is refused. */
  stop(why: "drained" | "lost" | "unsure"): void {
    if (this.#stopping === undefined || why !== "drained") this.#stopping = why;
    this.queue.halt();
    this.check();
  }

  /** Goes on with whatever is due once nothing runs: ends, recovers, or completes its pass. */
  check(): void {
    const { commits } = this;
    if (this.#running > 0 || this.#recovering) return;
    if (this.#stopping !== undefined) commits.seal();
    if (commits.sending) return;
    if (this.#stopping !== undefined) return this.#finish(this.#stopping);
    if (commits.refusal) return void this.#recover(commits.refusal.error);
    if (commits.sealCareful() || this.#hands.settle() || !this.queue.through) return;
    if (commits.gathered === 0 && this.pass.isThrough(this.record.saved.progress)) this.#finish("passed");
    else void commits.flush();
  }

  #goOn(): void {
    this.check();
    this.#parts.pump.poke();
  }

  /** Finds out whether an item is passed over, and loads its mark. */
  async #ask(item: Item, known: boolean | undefined, loading: Promise<void> | undefined): Promise<void> {
    let passed: boolean;
    loading?.catch(() => undefined); // it may fail first, or not matter
    try {
      passed = known ?? (await this.pass.ask(item.key as string));
      if (!passed) await loading;
    } catch (error) {
      const attempt = this.#attempt(item);
      attempt.fail(error);
      return this.#complete(attempt);
    }
    this.#begin(item, passed, true);
  }

  /** Calls the handler, unless the item is to come to an end without; `held`: its mark is. */
  #begin(item: Item, passed: boolean, held: boolean): void {
    if (!passed && !item.fault && !this.#marks?.has(item)) {
      const attempt = this.#attempt(item);
      return attempt.call(item.hand(this.#parts.terms.opening.format), () => this.#complete(attempt));
    }
    this.#ran();
    if (this.wants(item)) {
      if (passed) this.commits.passOver(item);
      else this.#merge(item, [], item.fault);
    }
    if (held) this.#marks?.free(item);
    this.#goOn();
  }

  #attempt(item: Item): Context {
    const tag = this.#marks && item.key !== undefined ? tagOf(item.key) : undefined;
    return new Context(item, tag, this.record.lease, this.#parts);
  }

  #ran(): void {
    this.#running--;
    this.#parts.pump.ended();
  }

  #complete(attempt: Attempt): void {
    const { item } = attempt;
    attempt.over = true;
    this.#ran();
    // What ran before a refusal counts for nothing; what a lost lane ran goes on to be refused, and is counted then.
    if (item.stage === Stage.open && !this.commits.refusal && this.#stopping !== "unsure") this.#settle(attempt);
    attempt.release();
    this.#marks?.free(item);
    this.#goOn();
  }

  #settle(attempt: Attempt): void {
    if (attempt.away) this.commits.break(attempt.failure);
    else if (!attempt.isCurrent()) this.#again(attempt.item);
    else if (attempt.failure !== undefined) this.#failed(attempt, attempt.failure);
    else this.#merge(attempt.item, attempt.uses);
  }

  /** Starts an item once more that has read what was then changed: alone, if that goes on. */
  #again(item: Item): void {
    this.#parts.tally.reran();
    if (++item.stale > mostStale && this.#hands.easy) this.#parts.pump.runAlone(this, item);
    else this.queue.again(item);
  }

  #failed({ item, uses, hopeless }: Attempt, error: unknown): void {
    const { retries, backoffMs } = this.#parts.terms;
    item.failures++;
    if (item.failures > retries || hopeless) return this.#merge(item, uses, faultOf(error));
    // It may have failed because of what this process wrongly believed.
    for (const { record } of uses) this.#parts.records.drop(record);
    const waitMs = Math.min(backoffMs * 2 ** (item.failures - 1), longestBackoff);
    void this.queue.later(item, waitMs, () => this.#parts.pump.poke());
  }

  /** Commits what an item has left, or that it has failed for good. */
  #merge(item: Item, uses: readonly Use[], death?: Fault): void {
    const { mostTouches } = this.commits;
    if (uses.length > mostTouches) {
      const many = `the item reads and writes ${uses.length} records`;
      const error = new UnsupportedError(`${many}, and at most ${mostTouches} can commit at once here`);
      item.failures = Math.max(item.failures, this.#parts.terms.retries) + 1; // it would be the same again
      return this.#merge(item, [], faultOf(error));
    }
    if (death) this.pass.died(item);
    this.commits.merge(item, uses, death);
  }

  async #recover(error: unknown): Promise<void> {
    this.#recovering = true;
    const end = await this.record.findOut(error);
    this.#recovering = false;
    if (end) this.#stopping = end;
    if (this.#stopping !== undefined) return this.#finish(this.#stopping);
    this.#parts.pump.dropAlone(this);
    this.#parts.trials.drop(this);
    this.#hands.drop();
    this.pass.restart();
    this.commits.restart();
    this.#goOn();
  }

  #finish(why: LaneEnd): void {
    this.#stopping = why === "passed" ? "drained" : why;
    this.queue.halt();
    this.commits.drop();
    this.#hands.drop();
    this.#end(why);
  }
}
