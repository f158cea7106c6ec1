import type { Holdfast } from "../entries/index.ts";
import type { WorkerReport } from "./report.ts";
import type { WorkerTerms } from "./terms.ts";
import type { EachEvent, Handler } from "./types.ts";
import { Worker } from "./worker.ts";

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
  /** How far each is, and what those before them did. */
  reports(): readonly CrewReport[];
}

/** One worker's report. */
export interface CrewReport extends WorkerReport {
  readonly worker: number;
  readonly pid: number;
}

/** One worker in this process. */
export function workHere(hf: Holdfast, handler: Handler, terms: WorkerTerms, tell: (event: EachEvent) => void): Crew {
  const who = { worker: 0, pid: process.pid };
  const worker = new Worker(hf, handler, terms, (event) => tell({ ...event, worker: 0 }));
  tell({ type: "started", ...who });
  return {
    ended: worker.run(),
    restarts: 0,
    stop: () => worker.stop(),
    kill: () => worker.stop(),
    reports: () => [{ ...worker.report(), ...who }],
  };
}
