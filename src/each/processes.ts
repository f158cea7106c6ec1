import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

import { deferred, type Deferred } from "../base/async.ts";
import { ownEnvironment } from "../base/environment.ts";
import { HoldfastError, InvalidArgumentError, UnavailableError, type ErrorCode } from "../base/errors.ts";
import type { Crew, CrewReport } from "./crew.ts";
import type { Fault, FromWorker, ToWorker, WorkerReport } from "./messages.ts";
import type { EachEvent } from "./types.ts";

/** How often in a row a worker may end unexpectedly without having committed anything, before the run is given up. */
const mostCrashes = 3;

/** What the processes of a run do. */
export interface ProcessTerms {
  readonly count: number;
  /** What a worker is told first, by its number: the same when it is started again. */
  start(worker: number): ToWorker & { type: "start" };
  /** Keep the handler's standard output apart from this process's own. */
  readonly quietOutput: boolean;
}

interface Slot {
  readonly worker: number;
  child: ChildProcess | undefined;
  report: WorkerReport | undefined;
  /** Reports of the processes before this one. */
  readonly before: WorkerReport[];
  crashes: number;
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
  restarts = 0;

  constructor(terms: ProcessTerms, tell: (event: EachEvent) => void) {
    this.#terms = terms;
    this.#tell = tell;
    for (let worker = 0; worker < terms.count; worker++) {
      const slot: Slot = { worker, child: undefined, report: undefined, before: [], crashes: 0, over: false };
      this.#slots.push(slot);
      this.#fork(slot);
    }
  }

  get ended(): Promise<"done" | "stopped"> {
    return this.#ended.promise;
  }

  stop(): void {
    this.#stopping = true;
    for (const { child } of this.#slots) if (child?.connected) child.send({ type: "stop" } satisfies ToWorker);
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
      ...before.map((past) => ({ ...past, running: 0, partitions: [], worker, pid: 0 })),
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
    let said = false;
    let gone = false;
    child.on("message", (message: FromWorker) => {
      if (message.type === "held") return;
      if (message.type === "event") return this.#tell({ ...message.event, worker: slot.worker });
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
      const how = error?.message ?? (signal ? `killed by ${signal}` : `exit code ${code}`);
      this.#tell({ type: "exited", worker: slot.worker, pid: child.pid ?? 0, how: said ? "finished" : how });
      if (said || this.#stopping) this.#over(slot, said);
      else this.#restart(slot, how);
    };
    child.on("exit", (code, signal) => exited(code, signal));
    child.on("error", (error) => {
      // Also emitted where a message could not be sent to a process that has just ended: its exit follows.
      if (child.pid === undefined) exited(null, null, error);
    });
    if (child.pid === undefined) return;
    this.#tell({ type: "started", worker: slot.worker, pid: child.pid });
    child.send(this.#terms.start(slot.worker));
    if (this.#stopping) child.send({ type: "stop" } satisfies ToWorker);
  }

  #restart(slot: Slot, how: string): void {
    if (slot.report) slot.before.push(slot.report);
    if (++slot.crashes > mostCrashes) {
      const message = `worker processes keep ending (${how}) before anything of theirs is committed: see what the handler does`;
      this.#fail({ code: "INVALID_ARGUMENT", message });
      return this.#over(slot, true);
    }
    this.restarts++;
    setTimeout(() => (this.#stopping ? this.#over(slot, false) : this.#fork(slot)), 50 * 2 ** slot.crashes);
  }

  #over(slot: Slot, said: boolean): void {
    if (!said) this.#outcome = "stopped";
    slot.over = true;
    if (this.#slots.some((other) => !other.over)) return;
    if (this.#failure) this.#ended.reject(this.#failure);
    else this.#ended.resolve(this.#outcome);
  }

  #fail(fault: Fault): void {
    this.#failure ??= revive(fault);
    this.stop();
  }
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
