import type { WorkerReport } from "./messages.ts";

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
