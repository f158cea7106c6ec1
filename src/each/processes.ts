import { deferred, type Deferred } from "../base/async.ts";
import { HoldfastError, InvalidArgumentError, UnavailableError, type ErrorCode } from "../base/errors.ts";
import { Causes, type LostProcess } from "./causes.ts";
import type { Failure, Start } from "./messages.ts";
import { noReport, sumStats, type Crew, type CrewReport, type WorkerReport } from "./report.ts";
import type { EachEvent } from "./types.ts";
import { WorkerProcess } from "./worker-process.ts";

/**
 * How often in a row a worker may end unexpectedly before the run is given up, where that is no item's doing: before
 * its handler is loaded; and before it has started an item.
 */
const mostUnready = 3;
const mostIdle = 20;
/** Wait before a process is replaced: at first, and at most, in ms. */
const firstWait = 100;
const longestWait = 1_000;
/** How long the others may take to finish what is in hand once the run has failed, in ms. */
const grace = 10_000;

/** What the processes of a run do. */
export interface ProcessTerms {
  /** Names the run. */
  readonly run: string;
  readonly count: number;
  /** The first message to a worker: the same when it is started again, but for the process it is `by`. */
  start(worker: number, by: string, lost: readonly LostProcess[]): Start;
  /** Keep the handler's standard output apart from this process's own. */
  readonly quietOutput: boolean;
}

/** One worker, and its processes one after the other. */
interface Slot {
  readonly worker: number;
  process: WorkerProcess | undefined;
  /** What the processes before this one have reported, together. */
  before: WorkerReport | undefined;
  /** Processes that it has had. */
  started: number;
  /** Those of them that ended unexpectedly in a row, and have committed nothing; or have not even started anything. */
  crashes: number;
  idle: number;
  over: boolean;
}

/** Workers in processes of their own, started again when they die. */
export class Processes implements Crew {
  readonly #terms: ProcessTerms;
  readonly #tell: (event: EachEvent) => void;
  readonly #slots: readonly Slot[];
  readonly #ended: Deferred<"done" | "stopped"> = deferred();
  readonly #causes = new Causes();
  #stopping = false;
  #failure: Error | undefined;
  #outcome: "done" | "stopped" = "done";
  #killing: NodeJS.Timeout | undefined;
  restarts = 0;

  constructor(terms: ProcessTerms, tell: (event: EachEvent) => void) {
    this.#terms = terms;
    this.#tell = tell;
    const none = { process: undefined, before: undefined, started: 0, crashes: 0, idle: 0, over: false };
    this.#slots = Array.from({ length: terms.count }, (_, worker) => ({ worker, ...none }));
    for (const slot of this.#slots) this.#start(slot);
  }

  get ended(): Promise<"done" | "stopped"> {
    return this.#ended.promise;
  }

  stop(): void {
    this.#stopping = true;
    for (const { process } of this.#slots) process?.send({ type: "stop" });
  }

  /** Ends every process at once. What they have not committed is done by the next run. */
  kill(): void {
    this.#stopping = true;
    for (const { process } of this.#slots) process?.kill();
  }

  /** As {@link EachRun.hold}. */
  hold(worker: number, ms: number): Promise<number> {
    const { process } = this.#slots[worker] ?? {};
    return process?.hold(ms) ?? Promise.reject(new InvalidArgumentError(`worker ${worker} is not there`));
  }

  reports(): readonly CrewReport[] {
    return this.#slots.flatMap(({ worker, process, before }) => [
      ...(before ? [{ ...before, worker, pid: 0 }] : []),
      ...(process ? [{ ...process.report, worker, pid: process.pid }] : []),
    ]);
  }

  #start(slot: Slot): void {
    const { worker } = slot;
    const by = `${this.#terms.run}/${worker}#${slot.started++}`;
    const start = this.#terms.start(worker, by, this.#causes.all());
    const process = new WorkerProcess(start, this.#terms.quietOutput, {
      event: (event) => this.#tell({ ...event, worker }),
      failed: (failure) => this.#fail(failure),
      ended: (how, said) => {
        this.#tell({ type: "exited", worker, pid: process.pid, how: said ? "finished" : how });
        if (!said) this.#lost({ by, how });
        if (said || this.#stopping) this.#over(slot, process.outcome !== "stopped" && said);
        else this.#restart(slot, process, how);
      },
    });
    slot.process = process;
    if (process.pid === 0) return;
    this.#tell({ type: "started", worker, pid: process.pid });
    if (this.#stopping) process.send({ type: "stop" });
  }

  /** Tells the others what became of a process: they take its partitions over. */
  #lost(lost: LostProcess): void {
    this.#causes.tell(lost);
    for (const { process } of this.#slots) process?.send({ type: "lost", process: lost });
  }

  #restart(slot: Slot, { report, phase, advanced }: WorkerProcess, how: string): void {
    slot.process = undefined;
    slot.before = {
      ...noReport,
      stats: sumStats([slot.before?.stats ?? noReport.stats, report.stats]),
      marks: report.marks,
    };
    slot.crashes = advanced ? 1 : slot.crashes + 1;
    // What ends a process while it has items in hand is found among them.
    slot.idle = phase === "working" ? 0 : slot.idle + 1;
    if (slot.idle > (phase === "loading" ? mostUnready : mostIdle)) {
      const what = `worker processes keep ending before they have started an item (${how})`;
      this.#fail({ code: "INVALID_ARGUMENT", message: `${what}: see what the handler's module does` });
      return this.#over(slot, true);
    }
    this.restarts++;
    const wait = Math.min(firstWait * 2 ** (slot.crashes - 1), longestWait);
    setTimeout(() => (this.#stopping ? this.#over(slot, false) : this.#start(slot)), wait);
  }

  /** A worker has no process any more; `through`: it has done all that it was to do. */
  #over(slot: Slot, through: boolean): void {
    if (!through) this.#outcome = "stopped";
    slot.over = true;
    if (this.#slots.some((other) => !other.over)) return;
    clearTimeout(this.#killing);
    if (this.#failure) this.#ended.reject(this.#failure);
    else this.#ended.resolve(this.#outcome);
  }

  #fail({ code, message }: Failure): void {
    this.#failure ??= errorOf(code, message);
    this.stop();
    this.#killing ??= setTimeout(() => this.kill(), grace);
  }
}

function errorOf(code: string | undefined, message: string): Error {
  if (code === "UNAVAILABLE") return new UnavailableError(message);
  if (code === "INVALID_ARGUMENT") return new InvalidArgumentError(message);
  return code === undefined ? new Error(message) : new HoldfastError(code as ErrorCode, message);
}
