import { setTimeout as sleep } from "node:timers/promises";

import type { EachEvent, EachProgress, EachRun } from "../../entries/each.ts";

/** Parts of the work after which a worker is killed, and one is paused. */
const killAt = 0.15;
const pauseAt = 0.35;
/** Where too little is left for a pause to show anything. */
const tooLate = 0.85;
/** Pauses that came to nothing, before it is left at that. */
const mostPauses = 3;
/** How long a worker holds its commits back, in ms of its own time: it is paused within that. */
const holdMs = 400;

/** What was done to the workers. */
export type DrillEvent =
  | { readonly type: "killed"; readonly worker: number; readonly pid: number }
  | { readonly type: "paused"; readonly worker: number; readonly pid: number; readonly ms: number }
  | { readonly type: "resumed"; readonly worker: number; readonly pid: number };

/** What the drill is to do. */
export interface DrillTerms {
  readonly orders: number;
  readonly processes: number;
  /** Long enough for a paused worker's leases to end. */
  readonly pauseMs: number;
  readonly random: () => number;
}

/** Kills one worker and pauses another while a run is at work. */
export class Drill {
  readonly #run: EachRun;
  readonly #terms: DrillTerms;
  readonly #tell: (event: DrillEvent) => void;
  #killed = false;
  #pauses = 0;
  #pausing: Promise<void> | undefined;
  #paused: number | undefined;
  #fenced = 0;

  constructor(run: EachRun, terms: DrillTerms, tell: (event: DrillEvent) => void) {
    this.#run = run;
    this.#terms = terms;
    this.#tell = tell;
  }

  /** Late items that the store refused. */
  get fenced(): number {
    return this.#fenced;
  }

  get killed(): boolean {
    return this.#killed;
  }

  /** Is told of everything that happens in the run. */
  see(event: EachEvent): void {
    if (event.type === "fenced") this.#fenced += event.items;
    if (event.type === "progress") this.#next(event.progress);
  }

  /** Lets go on what is paused: nothing may be left behind. */
  end(): void {
    if (this.#paused !== undefined) signal(this.#paused, "SIGCONT");
  }

  #next(progress: EachProgress): void {
    const part = progress.processed / this.#terms.orders;
    const busy = progress.workers.filter(({ pid, partitions }) => pid > 0 && partitions.length > 0);
    if (!this.#killed && part >= killAt && busy.length > 1) {
      const victim = busy[Math.floor(this.#terms.random() * busy.length)] as (typeof busy)[number];
      this.#killed = true;
      if (signal(victim.pid, "SIGKILL")) this.#tell({ type: "killed", worker: victim.worker, pid: victim.pid });
    } else if (this.#killed && part >= pauseAt && part < tooLate && busy.length > 1) {
      if (this.#pausing || this.#fenced > 0 || this.#pauses >= mostPauses) return;
      const victim = busy[Math.floor(this.#terms.random() * busy.length)] as (typeof busy)[number];
      this.#pauses++;
      this.#pausing = this.#pause(victim.worker).finally(() => (this.#pausing = undefined));
    }
  }

  async #pause(worker: number): Promise<void> {
    const { pauseMs } = this.#terms;
    let pid: number;
    try {
      pid = await this.#run.hold(worker, holdMs);
    } catch {
      return; // it has ended: another one is paused at the next look
    }
    if (!signal(pid, "SIGSTOP")) return;
    this.#paused = pid;
    this.#tell({ type: "paused", worker, pid, ms: pauseMs });
    await sleep(pauseMs);
    signal(pid, "SIGCONT");
    this.#paused = undefined;
    this.#tell({ type: "resumed", worker, pid });
    await sleep(holdMs * 2); // so that what it is refused is seen before the next pause
  }
}

/** Whether the process was there to get it. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}
