import type { Holdfast } from "../entries/index.ts";
import { committerFor } from "./committer.ts";
import type { Crew } from "./crew.ts";
import type { WorkerReport } from "./messages.ts";
import type { EachEvent, Handler } from "./types.ts";
import type { WorkerTerms } from "./worker-terms.ts";
import { Worker } from "./worker.ts";

/** One worker in this process. */
export function workHere(hf: Holdfast, handler: Handler, terms: WorkerTerms, tell: (event: EachEvent) => void): Crew {
  const worker = new Worker(hf, committerFor(hf, terms.job.key !== null), handler, terms, (event) =>
    tell({ ...event, worker: 0 }),
  );
  tell({ type: "started", worker: 0, pid: process.pid });
  return {
    ended: worker.run(),
    restarts: 0,
    stop: () => worker.stop(),
    kill: () => worker.stop(),
    reports: () => [{ ...reportOf(worker), worker: 0, pid: process.pid }],
  };
}

/** How far a worker is. */
export function reportOf(worker: Worker): WorkerReport {
  return { stats: { ...worker.stats }, running: worker.running, partitions: worker.partitions, marks: worker.marks() };
}
