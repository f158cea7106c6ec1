import type { Causes } from "./causes.ts";
import type { Opening } from "./input/source.ts";
import type { Job } from "./job.ts";
import type { EachEvent, OnDead } from "./types.ts";

type WithoutWorker<E> = E extends { readonly worker: number } ? Omit<E, "worker"> : never;
/** What happened in a worker. */
export type WorkerEvent = WithoutWorker<EachEvent>;

/** What a worker is to do. Plain data, but for the input that is open. */
export interface WorkerTerms {
  readonly id: string;
  /** Which process of the worker: see {@link Hold}. */
  readonly by: string;
  readonly who: string;
  readonly name: string;
  readonly job: Job;
  readonly opening: Opening;
  /** Absent where there is no parent who knows. */
  readonly causes?: Causes;
  readonly concurrency: number;
  readonly retries: number;
  readonly backoffMs: number;
  readonly onDead: OnDead;
  readonly storeTimeoutMs: number;
  readonly leaseMs: number;
  readonly itemTimeoutMs: number | undefined;
}

/** What a worker counts. */
export interface WorkerStats {
  processed: number;
  dead: number;
  waiting: number;
  conflicts: number;
  fenced: number;
}
