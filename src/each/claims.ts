import { isAway, isHoldfastError } from "../base/errors.ts";
import { aloneKey, partitionKey } from "./layout.ts";
import { fateOf, judge, losses, withLosses, type Finding } from "./losses.ts";
import { checkProgress, type Hold, type PartitionProgress } from "./progress.ts";
import { progressChange, type Destination, type Saved } from "./send-batch.ts";
import type { WorkerTerms } from "./worker-terms.ts";

/** What {@link Claims} need of a worker. */
export interface ClaimsHost {
  readonly terms: Pick<WorkerTerms, "by" | "who" | "leaseMs" | "causes">;
  /** When its event loop last stood still for so long that it could lose a lease by that. */
  readonly stoodStill: number;
  now(): number;
  /** The result of a request that is made again while the store is away; undefined where that ends the worker. */
  patiently<T>(request: () => Promise<T>): Promise<T | undefined>;
  fail(error: unknown): void;
}

/**
 * Says in a partition's record who works on it, before anything of it is started, and takes that back when it is given up in
 * good order. So whoever takes it finds out that a worker was lost, and counts what that may have had in hand.
 */
export class Claims {
  readonly #host: ClaimsHost;
  /** When a partition was last claimed. */
  readonly #since = new Map<number, number>();

  constructor(host: ClaimsHost) {
    this.#host = host;
  }

  /** Claims a partition; undefined where that cannot be, and whoever takes it next finds out more. */
  async claim(to: Destination, found: Saved): Promise<Saved | undefined> {
    const { progress } = found;
    const left = await this.#left(to, progress);
    if (!left) return undefined;
    const { by, who } = this.#host.terms;
    const { lost, suspects } = left;
    this.#since.set(to.partition, this.#host.now());
    const nothing = lost !== undefined || suspects !== undefined;
    return this.#write(to, found, withLosses(progress, left, { by, who, ...(nothing && { hand: [] }) }));
  }

  /** Gives a partition up, of which nothing is in hand. If that cannot be said, the next one only starts more carefully. */
  async letGo(to: Destination, last: Saved | undefined): Promise<void> {
    const saved = last ?? (await this.#host.patiently(() => this.#load(to)));
    if (saved?.progress.hold?.by !== this.#host.terms.by) return;
    const { lost = 0, suspects = [] } = saved.progress;
    await this.#write(to, saved, withLosses(saved.progress, losses(lost, suspects)));
  }

  /** What those before have left, if that can be known. */
  #left(
    to: Destination,
    progress: PartitionProgress,
  ): Promise<PartitionProgress | ReturnType<typeof judge> | undefined> {
    const { hold } = progress;
    const { lost = 0, suspects = [] } = progress;
    if (!hold || this.#wasHere(to.partition, hold)) return Promise.resolve(losses(lost, suspects));
    return this.#host.patiently(async () => judge(progress, await this.#find(to, hold)));
  }

  /** Whether this worker lost its own lease though nothing kept it from renewing: that is no item's fault. */
  #wasHere(partition: number, { by }: Hold): boolean {
    const since = this.#since.get(partition);
    return by === this.#host.terms.by && since !== undefined && this.#host.stoodStill < since;
  }

  async #find({ store }: Destination, hold: Hold): Promise<Finding> {
    const elsewhere = hold.hand === undefined && (await store.load(aloneKey(hold.by))) !== undefined;
    return { elsewhere, why: hold.alone ? await this.#why(hold) : "" };
  }

  async #why(hold: Hold): Promise<string> {
    const { by, causes, leaseMs } = this.#host.terms;
    const fate = fateOf(hold, leaseMs, hold.by === by);
    const sibling = hold.by !== by && hold.by.split("/")[0] === by.split("/")[0];
    return (sibling && fate.ended && (await causes?.of(hold.by))) || fate.text;
  }

  async #load({ store, partition }: Destination): Promise<Saved | undefined> {
    const key = partitionKey(partition);
    const entry = await store.loadEntry(key);
    return entry && { progress: checkProgress(entry.value, key), version: entry.version };
  }

  async #write(to: Destination, from: Saved, progress: PartitionProgress): Promise<Saved | undefined> {
    const { versions, done } = to.committer.send([progressChange(to, from, progress)], to.lease);
    try {
      await done;
      return { progress, version: versions[0] };
    } catch (error) {
      // Another one has it, or what became of it is for the next one to find out.
      if (isAway(error) || isHoldfastError(error, "FENCED") || isHoldfastError(error, "CONFLICT")) return undefined;
      this.#host.fail(error);
      return undefined;
    }
  }
}
