import type { Lease } from "../entries/index.ts";
import { FirstPass } from "./first-pass.ts";
import type { Holds } from "./holds.ts";
import { Lane, type LaneEnd } from "./lane.ts";
import { PartitionRecord, progressesOf } from "./partition-record.ts";
import type { WorkerParts } from "./parts.ts";
import type { Pass } from "./pass.ts";
import { isFinished, type PartitionProgress } from "./progress.ts";
import { RetryPass } from "./retry-pass.ts";

/** A lane with fewer open items, that is fed everything, ends sooner than another worker could take it. */
const almostDone = 64;

/** The partitions that a worker holds, each by its lease, pass after pass until it is finished, given up or lost. */
export class Partitions {
  readonly #parts: WorkerParts;
  readonly #holds: Holds;
  readonly #lanes: Map<number, Lane>;
  readonly #changed: () => void;
  readonly finished = new Set<number>();
  /** Being taken or given up, or between two passes. */
  readonly #between = new Set<number>();
  readonly #keepers = new Set<Promise<void>>();

  /**
   * `lanes` are those of the partitions; `changed` is called when they are others, or one partition more is finished.
   */
  constructor(parts: WorkerParts, holds: Holds, lanes: Map<number, Lane>, changed: () => void) {
    this.#parts = parts;
    this.#holds = holds;
    this.#lanes = lanes;
    this.#changed = changed;
  }

  /** Partitions of the job. */
  get count(): number {
    return this.#parts.terms.job.partitions;
  }

  /** Whether all partitions of the job are finished. */
  get complete(): boolean {
    return this.finished.size === this.count;
  }

  /** Held, or being taken or given up. */
  held(): number[] {
    return [...this.#lanes.keys(), ...this.#between];
  }

  /** Held ones, those first that are easiest to give up. */
  spare(): number[] {
    const lanes = [...this.#lanes].filter(([, { queue }]) => !queue.fedAll || queue.open > almostDone);
    return lanes.sort(([, a], [, b]) => a.queue.open - b.queue.open).map(([partition]) => partition);
  }

  giveUp(partition: number): void {
    this.#lanes.get(partition)?.stop("drained");
  }

  /** Gives everything up; resolves when that is done. */
  async giveUpAll(): Promise<void> {
    for (const lane of this.#lanes.values()) lane.stop("drained");
    await Promise.all(this.#keepers);
  }

  /** Sees which of these others have finished. */
  async look(partitions: readonly number[]): Promise<void> {
    const { store, terms } = this.#parts;
    for (const [partition, progress] of await progressesOf(store, partitions))
      if (isFinished(progress, terms.job)) this.finished.add(partition);
  }

  /** Begins to work on a partition. */
  async take(partition: number, lease: Lease): Promise<void> {
    this.#between.add(partition);
    const record = await PartitionRecord.load(this.#parts, partition, lease);
    if (!record || this.#parts.stop.aborted) {
      await lease.release();
      this.#between.delete(partition);
      return;
    }
    this.#parts.tell({ type: "taken", partition, fence: lease.fence.toString() });
    this.#parts.records.forget(); // whoever held the partition has changed the records of its keys
    const keeper = this.#keep(record);
    this.#keepers.add(keeper);
    void keeper.finally(() => this.#keepers.delete(keeper));
  }

  /** Never rejects. */
  async #keep(record: PartitionRecord): Promise<void> {
    const { outage, tell } = this.#parts;
    const { partition, lease } = record;
    let why: LaneEnd = "passed";
    let known = true; // what is stored
    for (let taken = false; why === "passed" && known; taken = true) {
      const pass = await outage.patiently(() => this.#nextPass(record));
      if (pass === "finished") {
        this.finished.add(partition);
        tell({ type: "finished", partition });
      }
      if (!pass || pass === "finished") break;
      if (!taken) known = await this.#holds.take(record);
      if (known) why = await this.#work(new Lane(record, pass, this.#parts));
      if (known && why === "passed") known = await this.#finishPass(record, pass);
    }
    if (why === "unsure" || (!known && why !== "lost")) known = await record.reload();
    if (why !== "lost" && known) await this.#holds.letGo(record);
    const lost = (await lease.release()) === "lost" || why === "lost";
    this.#between.delete(partition);
    tell(lost ? { type: "lost", partition, why: "its lease ended" } : { type: "given", partition });
    this.#changed();
  }

  /** What is to be done next: dead letters first, if a round of retries was asked for, then the input. */
  async #nextPass({ partition, saved: { progress } }: PartitionRecord): Promise<Pass | "finished"> {
    const { store, terms } = this.#parts;
    const { onDead, job } = terms;
    const passTerms = { store, partition, onDead, round: job.round };
    if (progress.round < job.round) return RetryPass.start(passTerms, progress);
    return progress.end ? "finished" : FirstPass.start(passTerms, progress);
  }

  async #work(lane: Lane): Promise<LaneEnd> {
    const { partition } = lane.record;
    this.#lanes.set(partition, lane);
    this.#between.delete(partition);
    this.#changed();
    if (this.#parts.stop.aborted) lane.stop("drained");
    const why = await lane.ended;
    this.#between.add(partition);
    this.#lanes.delete(partition);
    this.#changed();
    return why;
  }

  /** Writes what is left when a pass is through, in groups that the store takes; whether it did. */
  async #finishPass(record: PartitionRecord, pass: Pass): Promise<boolean> {
    const before = record.saved.progress;
    const { progress, steps } = pass.finish(before);
    if (progress === before && steps.length === 0) return true;
    const most = this.#parts.committer.maxSteps - 1;
    for (let i = 0; i === 0 || i < steps.length; i += most) {
      const next: PartitionProgress = i + most >= steps.length ? progress : before;
      if (!(await record.write(next, steps.slice(i, i + most)))) return false;
    }
    return true;
  }
}
