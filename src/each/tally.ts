import { isHoldfastError } from "../base/errors.ts";
import type { Batch } from "./batch.ts";
import type { Lane } from "./lane.ts";
import type { WorkerEvent, WorkerStats } from "./worker-terms.ts";

/** Counts what becomes of a worker's batches, and tells of it. */
export class Tally {
  readonly stats: WorkerStats = { processed: 0, dead: 0, waiting: 0, conflicts: 0, fenced: 0 };
  readonly #tell: (event: WorkerEvent) => void;

  constructor(tell: (event: WorkerEvent) => void) {
    this.#tell = tell;
  }

  committed(batch: Batch): void {
    this.stats.processed += batch.items.length;
    this.stats.dead += batch.deaths.length;
    this.stats.waiting += batch.passed.size;
    for (const { item, error } of batch.deaths) {
      const key = item.key === undefined ? {} : { key: item.key };
      this.#tell({ type: "dead", id: item.id, ...key, error: `${error.name}: ${error.message}` });
    }
  }

  refused({ partition, lease }: Lane, batch: Batch, error: unknown): void {
    const items = batch.items.length;
    if (isHoldfastError(error, "CONFLICT")) {
      this.stats.conflicts += items;
      this.#tell({ type: "conflict", partition, items });
    } else if (isHoldfastError(error, "FENCED")) {
      this.stats.fenced += items;
      this.#tell({ type: "fenced", partition, fence: lease.fence.toString(), items });
    }
  }
}
