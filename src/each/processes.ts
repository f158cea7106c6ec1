import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

import { deferred, type Deferred } from "../base/async.ts";
import { ownEnvironment } from "../base/environment.ts";
import { HoldfastError, InvalidArgumentError, UnavailableError, type ErrorCode } from "../base/errors.ts";
import { Causes, type LostProcess } from "./causes.ts";
import type { Crew, CrewReport } from "./crew.ts";
import { fateOfChild } from "./fate.ts";
import type { Fault, FromWorker, ToWorker, WorkerReport } from "./messages.ts";
import { Silence } from "./silence.ts";
import type { EachEvent } from "./types.ts";

/**
 * How often in a row a worker may end unexpectedly before the run is given up, where that is no item's doing: before its handler is
 * loaded; and before it has started an item.
 */
const mostUnready = 3;
const mostIdle = 20;
/** Wait before a process is replaced: at first, and at most, in ms. */
const firstWait = 100;
const longestWait = 1_000;
/** How long what a process has said may still be on its way when it has ended, in ms. */
const lastWords = 500;
/** How long nothing may be heard of a process while it loads its handler, and what is added to three leases later on, in ms. */
const loading = 60_000;
const slack = 2_000;
/** How long the others may take to finish what is in hand once the run has failed, in ms. */
const grace = 10_000;

/** What the processes of a run do. */
export interface ProcessTerms {
  /** Names the run. */
  readonly run: string;
  readonly count: number;
  readonly leaseMs: number;
  /** What a worker is told first, by its number: the same when it is started again, but for the process it is `by`. */
  start(worker: number, by: string, lost: readonly LostProcess[]): ToWorker & { type: "start" };
  /** Keep the handler's standard output apart from this process's own. */
  readonly quietOutput: boolean;
}

interface Slot {
  readonly worker: number;
  child: ChildProcess | undefined;
  report: WorkerReport | undefined;
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
  readonly #slots: Slot[] = [];
  readonly #ended: Deferred<"done" | "stopped"> = deferred();
  #stopping = false;
  #failure: Error | undefined;
  #outcome: "done" | "stopped" = "done";
  readonly #causes = new Causes();
  #killing: NodeJS.Timeout | undefined;
  restarts = 0;

  constructor(terms: ProcessTerms, tell: (event: EachEvent) => void) {
    this.#terms = terms;
    this.#tell = tell;
    for (let worker = 0; worker < terms.count; worker++) {
      const slot: Slot = {
        worker,
        child: undefined,
        report: undefined,
        before: undefined,
        started: 0,
        crashes: 0,
        idle: 0,
        over: false,
      };
      this.#slots.push(slot);
      this.#fork(slot);
    }
  }

  get ended(): Promise<"done" | "stopped"> {
    return this.#ended.promise;
  }

  stop(): void {
    this.#stopping = true;
    this.#sendAll({ type: "stop" });
  }

  /** Ends every process at once. What they have not committed is done by the next run. */
  kill(): void {
    this.#stopping = true;
    for (const { child } of this.#slots) child?.kill("SIGKILL");
  }

  /** Has a worker hold back its commits for so long; resolves with its process id once none is on its way. */
  hold(worker: number, ms: number): Promise<number> {
    const child = this.#slots[worker]?.child;
    if (!child?.connected || child.pid === undefined)
      return Promise.reject(new InvalidArgumentError(`worker ${worker} is not there`));
    const { pid } = child;
    child.send({ type: "hold", ms } satisfies ToWorker);
    return new Promise((resolve, reject) => {
      child.on("message", ({ type }: FromWorker) => type === "held" && resolve(pid));
      child.once("exit", () => reject(new InvalidArgumentError(`worker ${worker} has ended`)));
    });
  }

  reports(): readonly CrewReport[] {
    return this.#slots.flatMap(({ worker, child, report, before }) => [
      ...(before ? [{ ...before, worker, pid: 0 }] : []),
      ...(report && child?.pid !== undefined ? [{ ...report, worker, pid: child.pid }] : []),
    ]);
  }

  #fork(slot: Slot): void {
    const own = import.meta.url;
    const path = fileURLToPath(new URL(own.endsWith(".ts") ? "./child.ts" : "./child.js", own));
    const child = fork(path, [], {
      stdio: ["ignore", this.#terms.quietOutput ? 2 : "inherit", "inherit", "ipc"],
      // Nothing of how this process was started: its set-up would run once more in each of them.
      execArgv: lean,
      env: ownEnvironment(),
    });
    slot.child = child;
    slot.report = undefined;
    const by = `${this.#terms.run}/${slot.worker}#${slot.started++}`;
    let said = false;
    let gone = false;
    let phase: "loading" | "ready" | "working" = "loading";
    let uncaught: string | undefined;
    let silentMs: number | undefined;
    const tolerated = 3 * this.#terms.leaseMs + slack;
    const silence = new Silence(
      () => (phase === "loading" ? Math.max(loading, tolerated) : tolerated),
      (ms) => {
        silentMs = ms;
        child.kill("SIGKILL");
      },
    );
    child.on("message", (message: FromWorker) => {
      silence.heard();
      if (message.type === "held") return;
      if (message.type === "ready" || message.type === "working") {
        phase = message.type;
        if (phase === "working") slot.idle = 0;
        return;
      }
      if (message.type === "uncaught") return void (uncaught = message.error);
      if (message.type === "event") {
        if (message.event.type === "dead") slot.crashes = 0;
        return this.#tell({ ...message.event, worker: slot.worker });
      }
      if (message.report.stats.processed > 0) slot.crashes = 0;
      slot.report = message.report;
      if (message.type === "report") return;
      said = true;
      if (message.type === "failed") this.#fail(message.fault);
      else if (message.outcome === "stopped") this.#outcome = "stopped";
    });
    const exited = (code: number | null, signal: NodeJS.Signals | null, error?: Error): void => {
      if (gone) return;
      gone = true;
      silence.end();
      const how = error?.message ?? fateOfChild(code, signal, uncaught, silentMs);
      this.#tell({ type: "exited", worker: slot.worker, pid: child.pid ?? 0, how: said ? "finished" : how });
      if (!said) this.#lost({ by, how });
      if (said || this.#stopping) this.#over(slot, said);
      else this.#restart(slot, how, phase);
    };
    child.on("exit", (code, signal) => {
      // What it has said last may be on its way.
      if (!child.connected) return exited(code, signal);
      const timer = setTimeout(() => exited(code, signal), lastWords);
      child.once("disconnect", () => {
        clearTimeout(timer);
        exited(code, signal);
      });
    });
    child.on("error", (error) => {
      // Also emitted where a message could not be sent to a process that has just ended: its exit follows.
      if (child.pid === undefined) exited(null, null, error);
    });
    if (child.pid === undefined) return;
    this.#tell({ type: "started", worker: slot.worker, pid: child.pid });
    child.send(this.#terms.start(slot.worker, by, this.#causes.all()));
    if (this.#stopping) child.send({ type: "stop" } satisfies ToWorker);
  }

  #sendAll(message: ToWorker): void {
    for (const { child } of this.#slots) if (child?.connected) child.send(message);
  }

  /** Tells the others what became of a process: they take its partitions over. */
  #lost(process: LostProcess): void {
    this.#causes.tell(process);
    this.#sendAll({ type: "lost", process });
  }

  #restart(slot: Slot, how: string, phase: "loading" | "ready" | "working"): void {
    if (slot.report) slot.before = together(slot.before, slot.report);
    slot.crashes++;
    // What ends a process while it has items in hand is found among them.
    if (phase !== "working" && ++slot.idle > (phase === "loading" ? mostUnready : mostIdle)) {
      const message = `worker processes keep ending before they have started an item (${how}): see what the handler's module does`;
      this.#fail({ code: "INVALID_ARGUMENT", message });
      return this.#over(slot, true);
    }
    this.restarts++;
    const wait = Math.min(firstWait * 2 ** (slot.crashes - 1), longestWait);
    setTimeout(() => (this.#stopping ? this.#over(slot, false) : this.#fork(slot)), wait);
  }

  #over(slot: Slot, said: boolean): void {
    if (!said) this.#outcome = "stopped";
    slot.over = true;
    if (this.#slots.some((other) => !other.over)) return;
    clearTimeout(this.#killing);
    if (this.#failure) this.#ended.reject(this.#failure);
    else this.#ended.resolve(this.#outcome);
  }

  #fail(fault: Fault): void {
    this.#failure ??= revive(fault);
    this.stop();
    this.#killing ??= setTimeout(() => this.kill(), grace);
  }
}

/** What a worker did, with what the processes before it did. */
function together(before: WorkerReport | undefined, { stats, marks }: WorkerReport): WorkerReport {
  const sum = (name: keyof WorkerReport["stats"]): number => stats[name] + (before?.stats[name] ?? 0);
  return {
    stats: {
      processed: sum("processed"),
      dead: sum("dead"),
      waiting: sum("waiting"),
      conflicts: sum("conflicts"),
      fenced: sum("fenced"),
    },
    running: 0,
    partitions: [],
    marks,
  };
}

/**
 * Flags for V8. Items live for a fraction of a second, just long enough to look as if they lived for long: unless the heap is kept
 * from growing to four times of what is alive before it is swept, each process takes twice the memory.
 */
const lean = ["--max-semi-space-size=8", "--heap-growing-percent=50"];

function revive({ code, message }: Fault): Error {
  if (code === "UNAVAILABLE") return new UnavailableError(message);
  if (code === "INVALID_ARGUMENT") return new InvalidArgumentError(message);
  return code === undefined ? new Error(message) : new HoldfastError(code as ErrorCode, message);
}
