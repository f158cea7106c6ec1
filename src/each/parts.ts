import type { StateStore } from "../entries/index.ts";
import type { Committer } from "./committer.ts";
import type { ContextParts } from "./context.ts";
import type { Outage } from "./outage.ts";
import type { Pump } from "./pump.ts";
import type { Tally, WorkerEvent } from "./report.ts";
import type { WorkerTerms } from "./terms.ts";
import type { Trials } from "./trials.ts";

/** What the partitions and lanes of a worker share. Made by the worker; the same as long as that lasts. */
export interface WorkerParts extends ContextParts {
  readonly terms: WorkerTerms;
  readonly committer: Committer;
  /** The job's own records. */
  readonly store: StateStore<unknown>;
  /** Its done marks, where items commit apart from their progress. */
  readonly marksStore: StateStore<unknown> | undefined;
  readonly pump: Pump;
  readonly trials: Trials;
  readonly outage: Outage;
  readonly tally: Tally;
  readonly tell: (event: WorkerEvent) => void;
  /** Aborts when the worker is to finish what is in hand, and no more. */
  readonly stop: AbortSignal;
}
