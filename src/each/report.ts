import { isHoldfastError } from "../base/errors.ts";
import type { Commit } from "./commit.ts";
import type { EachEvent } from "./types.ts";

type WithoutWorker<E> = E extends { readonly worker: number } ? Omit<E, "worker"> : never;
/** What happened in a worker. */
export type WorkerEvent = WithoutWorker<EachEvent>;

/** What a worker counts. */
export interface WorkerStats {
  readonly processed: number;
  readonly dead: number;
  readonly waiting: number;
  readonly conflicts: number;
  readonly fenced: number;
}

/** How far a worker is. */
export interface WorkerReport {
  readonly stats: WorkerStats;
  /** Handlers that run. */
  readonly running: number;
  /** Partitions that it holds. */
  readonly partitions: readonly number[];
  /** Watermarks, in bytes: pairs of partition and offset. */
  readonly marks: readonly number[];
}

/** The workers of one run. */
export interface Crew {
  /** Resolves when all are done, or have stopped. Rejects with what ended them. */
  readonly ended: Promise<"done" | "stopped">;
  /** Workers that ended unexpectedly and were started again. */
  readonly restarts: number;
  /** Finish what is in hand, commit it, end. */
  stop(): void;
  /** End processes at once, where there are any. */
  kill(): void;
  /** As {@link EachRun.hold}. */
  hold(worker: number, ms: number): Promise<number>;
  /** How far each is, and what those before them did. */
  reports(): readonly CrewReport[];
}

/** One worker's report. */
export interface CrewReport extends WorkerReport {
  readonly worker: number;
  readonly pid: number;
}

const noStats: WorkerStats = { processed: 0, dead: 0, waiting: 0, conflicts: 0, fenced: 0 };

/** Of a worker that has not begun. */
export const noReport: WorkerReport = { stats: noStats, running: 0, partitions: [], marks: [] };

/** What several workers have counted. */
export function sumStats(all: Iterable<WorkerStats>): WorkerStats {
  const sum = { ...noStats };
  for (const stats of all) for (const name of Object.keys(noStats) as (keyof WorkerStats)[]) sum[name] += stats[name];
  return sum;
}

/** Counts what becomes of a worker's commits, and tells of it. */
export class Tally {
  readonly #stats = { ...noStats };
  readonly #tell: (event: WorkerEvent) => void;

  constructor(tell: (event: WorkerEvent) => void) {
    this.#tell = tell;
  }

  get stats(): WorkerStats {
    return { ...this.#stats };
  }

  /** A handler ran for nothing, since another item of this process changed what it had read. */
  reran(): void {
    this.#stats.conflicts++;
  }

  committed(commit: Commit): void {
    this.#stats.processed += commit.items.length;
    this.#stats.dead += commit.deaths.length;
    this.#stats.waiting += commit.passed.size;
    for (const { item, error } of commit.deaths) {
      const key = item.key === undefined ? {} : { key: item.key };
      this.#tell({ type: "dead", id: item.id, ...key, error: `${error.name}: ${error.message}` });
    }
  }

  refused(partition: number, fence: bigint, commit: Commit, error: unknown): void {
    const items = commit.items.length;
    if (isHoldfastError(error, "CONFLICT")) {
      this.#stats.conflicts += items;
      this.#tell({ type: "conflict", partition, items });
    } else if (isHoldfastError(error, "FENCED")) {
      this.#stats.fenced += items;
      this.#tell({ type: "fenced", partition, fence: fence.toString(), items });
    }
  }
}
