import type { LostProcess } from "./causes.ts";
import type { Source } from "./input/source.ts";
import type { WorkerEvent, WorkerReport } from "./report.ts";
import type { WorkerTerms } from "./terms.ts";

/** The first message to a worker process. */
export interface Start {
  readonly type: "start";
  readonly store: string;
  readonly handler: string;
  readonly source: Source;
  readonly terms: Omit<WorkerTerms, "opening" | "who" | "causes">;
  /** What became of the processes that were lost before it started. */
  readonly lost: readonly LostProcess[];
}

/** A message to a worker process. */
export type ToWorker =
  | Start
  | { readonly type: "lost"; readonly process: LostProcess }
  | { readonly type: "stop" }
  /** Hold back commits for so long; answered by `held`. */
  | { readonly type: "hold"; readonly ms: number };

/** A message of a worker process. */
export type FromWorker =
  /** The handler is loaded, and the store is there. */
  | { readonly type: "ready" }
  /** An item is about to be started, the first one. */
  | { readonly type: "working" }
  /** It is about to end, since nobody has caught this. */
  | { readonly type: "uncaught"; readonly error: string }
  | { readonly type: "event"; readonly event: WorkerEvent }
  | { readonly type: "held" }
  | { readonly type: "report"; readonly report: WorkerReport }
  | { readonly type: "end"; readonly outcome: "done" | "stopped"; readonly report: WorkerReport }
  | { readonly type: "failed"; readonly failure: Failure; readonly report: WorkerReport };

/** An error on its way to another process. */
export interface Failure {
  readonly code: string | undefined;
  readonly message: string;
}
