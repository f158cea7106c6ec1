import type { Lease, StateStore } from "../entries/index.ts";
import type { Batch, Touch } from "./batch.ts";
import type { Base, Step } from "../state/commit.ts";
import type { Committer } from "./committer.ts";
import { Stage } from "./item.ts";
import { partitionKey } from "./layout.ts";
import type { Advance } from "./pass.ts";
import type { PartitionProgress } from "./progress.ts";
import type { CachedRecord, Records } from "./records.ts";

/** What is stored of a partition, with its version. */
export interface Saved {
  readonly progress: PartitionProgress;
  readonly version: Base;
}

/** Where a batch goes. */
export interface Destination {
  readonly store: StateStore<unknown>;
  readonly partition: number;
  readonly lease: Lease;
  readonly committer: Committer;
  readonly records: Records;
}

/** The commit of a batch on its way. */
export interface SentBatch {
  /** The progress as it is once it has succeeded. */
  readonly saved: Saved;
  readonly done: Promise<void>;
}

/**
 * Sends a batch and closes it: progress, dead letters, and everything that its items have read or written. What others read from
 * now on has the version that it is about to get.
 */
export function sendBatch(to: Destination, batch: Batch, last: Saved, advance: () => Advance): SentBatch {
  for (const item of batch.items) item.stage = Stage.sent;
  const { progress, changes } = advance();
  const own = progressChange(to, last, progress);
  const written = Array.from(batch.touches, ([record, touch]) => touchChange(to, record, touch));
  const { versions, done } = to.committer.send([own, ...changes, ...written], to.lease);
  let i = 1 + changes.length;
  for (const [record, { write }] of batch.touches) {
    if (write) record.version = versions[i];
    i++;
  }
  batch.close();
  return { saved: { progress, version: versions[0] }, done };
}

/** What a batch has read or written of a record. */
export function touchChange({ records }: Destination, record: CachedRecord, { base, write, ttl }: Touch): Step {
  const at = { store: record.store, key: record.key, base };
  // What was written and removed again must still be absent.
  if (!write || (record.payload === undefined && base === null)) return at;
  if (record.payload === undefined) return { ...at, write: "delete" };
  return { ...at, write: { value: records.decode(record.payload), ttl } };
}

/** Writes the progress of a partition, if it is still as it was. */
export function progressChange({ store, partition }: Destination, last: Saved, progress: PartitionProgress): Step {
  return { store, key: partitionKey(partition), base: last.version, write: { value: progress, ttl: undefined } };
}
