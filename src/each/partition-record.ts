import { isAway, isHoldfastError } from "../base/errors.ts";
import type { Lease, StateStore } from "../entries/index.ts";
import type { Base, Step } from "../state/commit.ts";
import { delay } from "./delay.ts";
import { partitionKey } from "./layout.ts";
import type { WorkerParts } from "./parts.ts";
import { checkProgress, noCounts, type PartitionProgress } from "./progress.ts";

/** What is stored of a partition, with its version. */
export interface Saved {
  readonly progress: PartitionProgress;
  readonly version: Base;
}

/** The progress of those of these partitions that have any. */
export async function progressesOf(
  store: StateStore<unknown>,
  partitions: readonly number[],
): Promise<Map<number, PartitionProgress>> {
  const values = await store.loadMany(partitions.map(partitionKey));
  const found = new Map<number, PartitionProgress>();
  for (const partition of partitions) {
    const key = partitionKey(partition);
    if (values.has(key)) found.set(partition, checkProgress(values.get(key), key));
  }
  return found;
}

/** The record of a partition, for whoever has its lease: all that is stored of it but dead letters and stopped keys. */
export class PartitionRecord {
  readonly partition: number;
  readonly lease: Lease;
  /** As of the last commit. */
  saved: Saved;
  readonly #parts: WorkerParts;

  private constructor(parts: WorkerParts, partition: number, lease: Lease, saved: Saved) {
    this.#parts = parts;
    this.partition = partition;
    this.lease = lease;
    this.saved = saved;
  }

  /** Loads it, once the store is there; undefined where that ends the worker. */
  static async load(parts: WorkerParts, partition: number, lease: Lease): Promise<PartitionRecord | undefined> {
    const { opening, job } = parts.terms;
    const fresh = { next: opening.first, above: [], end: false, counts: noCounts, round: job.round };
    const record = new PartitionRecord(parts, partition, lease, { progress: fresh, version: null });
    return (await record.reload()) ? record : undefined;
  }

  /** Finds out what is stored, where a commit has left that open; whether that is known. */
  async reload(): Promise<boolean> {
    const key = partitionKey(this.partition);
    const { store, outage } = this.#parts;
    const found = await outage.patiently(async () => {
      const entry = await store.loadEntry(key);
      return entry ? { progress: checkProgress(entry.value, key), version: entry.version } : this.saved;
    });
    if (found) this.saved = found;
    return found !== undefined;
  }

  /**
   * What follows from the refusal of a commit, once the store is there; undefined: one can go on from what is stored.
   */
  async findOut(error: unknown): Promise<"lost" | "unsure" | undefined> {
    const { outage, store, stop } = this.#parts;
    if (isHoldfastError(error, "FENCED")) return "lost";
    if (isAway(error)) {
      await outage.over();
      // What became of a write whose reply was lost is for the next lease to find out: this one's grant ends with it.
      return isHoldfastError(error, "INDETERMINATE") ? "unsure" : undefined;
    }
    if (!isHoldfastError(error, "CONFLICT")) return undefined;
    const entry = await outage.patiently(() => store.loadEntry(partitionKey(this.partition)));
    if ((entry?.version ?? null) !== this.saved.version) return "unsure";
    await delay(Math.random() * 5, stop); // so that two who conflict do not do so again
    return undefined;
  }

  /** Part of a group: writes progress, if what is stored is what was `last`. */
  step(last: Saved, progress: PartitionProgress): Step {
    const { store } = this.#parts;
    return { store, key: partitionKey(this.partition), base: last.version, write: { value: progress, ttl: undefined } };
  }

  /**
   * Writes progress and other records; whether it did. If not, whoever takes the partition next finds out what is so.
   */
  async write(progress: PartitionProgress, others: readonly Step[] = []): Promise<boolean> {
    const { committer, outage } = this.#parts;
    const { versions, done } = committer.send([this.step(this.saved, progress), ...others], this.lease);
    try {
      await done;
    } catch (error) {
      if (!isAway(error) && !isHoldfastError(error, "FENCED") && !isHoldfastError(error, "CONFLICT"))
        outage.fail(error);
      return false;
    }
    this.saved = { progress, version: versions[0] };
    return true;
  }
}
