import type { Causes } from "./causes.ts";
import type { Opening } from "./input/source.ts";
import type { Job } from "./job.ts";
import type { WorkSettings } from "./options.ts";

/** What a worker is to do. Plain data, but for the open input and the causes. */
export interface WorkerTerms extends WorkSettings {
  /** Names the worker, also after it was started again. */
  readonly id: string;
  /** Names this process of the worker: see {@link Hold}. */
  readonly by: string;
  /** The process, as labels name it: see `identity`. */
  readonly who: string;
  /** The job's name. */
  readonly name: string;
  readonly job: Job;
  readonly opening: Opening;
  /** Absent where there is no parent who knows. */
  readonly causes?: Causes;
}
