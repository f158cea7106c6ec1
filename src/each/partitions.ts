import { isAway, isHoldfastError } from "../base/errors.ts";
import type { Lease } from "../entries/index.ts";
import { Claims, type ClaimsHost } from "./claims.ts";
import type { LaneHost } from "./lane-host.ts";
import { Lane, type LaneEnd } from "./lane.ts";
import { partitionKey } from "./layout.ts";
import type { PassContext } from "./pass.ts";
import { nextPass } from "./passes.ts";
import { checkProgress, noCounts, type PartitionProgress, type Position } from "./progress.ts";
import { progressChange, type Destination, type Saved } from "./send-batch.ts";
import type { Shared } from "./share.ts";

/** A lane with fewer open items, that is fed everything, ends sooner than another worker could take it. */
const almostDone = 64;

/** What the partitions of a worker need of it. */
export interface PartitionsHost extends LaneHost, ClaimsHost {
  readonly terms: LaneHost["terms"] & ClaimsHost["terms"];
  /** No more is to be started. */
  readonly stopping: boolean;
  taken(partition: number, lease: Lease): void;
  given(partition: number, lost: boolean): void;
  finished(partition: number): void;
  /** The lanes are others than before. */
  moved(): void;
}

/** What is fixed for all partitions of a job. */
export interface PartitionsTerms {
  readonly count: number;
  readonly first: Position;
  readonly round: number;
}

/** The partitions that a worker holds, each by its lease, pass after pass until it is finished, given up or lost. */
export class Partitions implements Shared {
  readonly lanes = new Map<number, Lane>();
  readonly finished = new Set<number>();
  readonly #host: PartitionsHost;
  readonly #terms: PartitionsTerms;
  /** Being taken or given up, or between two passes. */
  readonly #between = new Set<number>();
  readonly #keepers = new Set<Promise<void>>();
  readonly #claims: Claims;

  constructor(host: PartitionsHost, terms: PartitionsTerms) {
    this.#host = host;
    this.#terms = terms;
    this.#claims = new Claims(host);
  }

  get partitions(): number {
    return this.#terms.count;
  }

  /** Whether all partitions of the job are finished. */
  get complete(): boolean {
    return this.finished.size === this.#terms.count;
  }

  held(): number[] {
    return [...this.lanes.keys(), ...this.#between];
  }

  spare(): number[] {
    const lanes = [...this.lanes.values()].filter((lane) => !lane.fedAll || lane.items.open > almostDone);
    return lanes.sort((a, b) => a.items.open - b.items.open).map((lane) => lane.partition);
  }

  giveUp(partition: number): void {
    this.lanes.get(partition)?.stop("drained");
  }

  /** Gives everything up; resolves when that is done. */
  async giveUpAll(): Promise<void> {
    for (const lane of this.lanes.values()) lane.stop("drained");
    await Promise.all(this.#keepers);
  }

  async look(partitions: readonly number[]): Promise<void> {
    const found = await this.#host.store0.loadMany(partitions.map(partitionKey));
    for (const partition of partitions) {
      const key = partitionKey(partition);
      if (!found.has(key)) continue;
      const { end, round } = checkProgress(found.get(key), key);
      if (end && round >= this.#terms.round) this.finished.add(partition);
    }
  }

  async take(partition: number, lease: Lease): Promise<void> {
    this.#between.add(partition);
    const saved = await this.#host.patiently(() => this.#load(partition));
    if (!saved || this.#host.stopping) {
      await lease.release();
      this.#between.delete(partition);
      return;
    }
    this.#host.taken(partition, lease);
    const keeper = this.#keep(partition, lease, saved);
    this.#keepers.add(keeper);
    void keeper.finally(() => this.#keepers.delete(keeper));
  }

  async #load(partition: number): Promise<Saved> {
    const key = partitionKey(partition);
    const entry = await this.#host.store0.loadEntry(key);
    if (entry) return { progress: checkProgress(entry.value, key), version: entry.version };
    const { first, round } = this.#terms;
    return { progress: { next: first, above: [], end: false, counts: noCounts, round }, version: null };
  }

  /** Never rejects. */
  async #keep(partition: number, lease: Lease, found: Saved): Promise<void> {
    const { store0: store, terms, committer, records } = this.#host;
    const to: Destination = { store, partition, lease, committer, records };
    const context: PassContext = { store, partition, onDead: terms.onDead, round: this.#terms.round };
    let saved: Saved | undefined = found;
    let why: LaneEnd = "passed";
    let claimed = false;
    while (saved && why === "passed") {
      const { progress }: Saved = saved;
      const pass = await this.#host.patiently(() => nextPass(context, progress));
      if (pass === undefined) break;
      if (pass === "finished") {
        this.finished.add(partition);
        this.#host.finished(partition);
        break;
      }
      if (!claimed) saved = await this.#claims.claim(to, saved);
      claimed = true;
      if (!saved) break;
      const lane: Lane = new Lane(partition, lease, saved, pass, this.#host);
      why = await this.#work(lane);
      saved = why === "passed" ? await this.#finishPass(lane) : lane.commits.saved;
    }
    if (why !== "lost") await this.#claims.letGo(to, why === "unsure" ? undefined : saved);
    const released = await lease.release();
    this.#between.delete(partition);
    this.#host.given(partition, why === "lost" || released === "lost");
  }

  async #work(lane: Lane): Promise<LaneEnd> {
    const { partition } = lane;
    this.lanes.set(partition, lane);
    this.#between.delete(partition);
    this.#host.moved();
    if (this.#host.stopping) lane.stop("drained");
    const why = await lane.ended;
    this.#between.add(partition);
    this.lanes.delete(partition);
    this.#host.moved();
    return why;
  }

  /** Writes what is left when a pass is through, in groups that the store takes. */
  async #finishPass({ partition, lease, pass, commits }: Lane): Promise<Saved | undefined> {
    const { store0: store, committer, records } = this.#host;
    const to = { store, partition, lease, committer, records };
    let { saved } = commits;
    const { progress, changes } = pass.finish(saved.progress);
    if (progress === saved.progress && changes.length === 0) return saved;
    const most = committer.maxSteps - 1;
    for (let i = 0; i === 0 || i < changes.length; i += most) {
      const next: PartitionProgress = i + most >= changes.length ? progress : saved.progress;
      const { versions, done } = committer.send(
        [progressChange(to, saved, next), ...changes.slice(i, i + most)],
        lease,
      );
      try {
        await done;
      } catch (error) {
        if (!isAway(error) && !isHoldfastError(error, "FENCED") && !isHoldfastError(error, "CONFLICT"))
          this.#host.fail(error);
        return undefined; // whoever takes the partition next does it, this worker or another
      }
      saved = { progress: next, version: versions[0] };
    }
    return saved;
  }
}
