import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

import { ownEnvironment } from "../base/environment.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import { flagsFor } from "./handler.ts";
import type { Failure, FromWorker, Start, ToWorker } from "./messages.ts";
import { noReport, type WorkerEvent, type WorkerReport } from "./report.ts";
import { Silence } from "./silence.ts";

/** How long what a process has said may still be on its way when it has ended, in ms. */
const lastWords = 500;
/**
 * How long nothing may be heard of a process while it loads its handler, and what is added to three leases later on, in
 * ms.
 */
const loading = 60_000;
const slack = 2_000;

/**
 * Flags for V8. Items live for a fraction of a second, just long enough to look as if they lived for long: unless the
 * heap is kept from growing to four times of what is alive before it is swept, each process takes twice the memory.
 */
const lean = ["--max-semi-space-size=8", "--heap-growing-percent=50"];
/** Signals by which a process ends that has run out of memory of its own, or broke. */
const broken = new Set<NodeJS.Signals>(["SIGABRT", "SIGTRAP", "SIGILL", "SIGSEGV", "SIGBUS"]);

/** Who hears of a worker process. */
export interface ProcessListener {
  event(event: WorkerEvent): void;
  failed(failure: Failure): void;
  /** It has ended, in words; `said`: in good order, with its last word. */
  ended(how: string, said: boolean): void;
}

/** One process of a worker. */
export class WorkerProcess {
  /** How far it is. */
  phase: "loading" | "ready" | "working" = "loading";
  /** Whether an item of it has come to an end. */
  advanced = false;
  report: WorkerReport = noReport;
  /** Set with its last word. */
  outcome: "done" | "stopped" | undefined;
  readonly #child: ChildProcess;
  readonly #listener: ProcessListener;
  readonly #silence: Silence;
  #said = false;
  #gone = false;
  #uncaught: string | undefined;
  #silentMs: number | undefined;

  constructor(start: Start, quietOutput: boolean, listener: ProcessListener) {
    const own = import.meta.url;
    const path = fileURLToPath(new URL(own.endsWith(".ts") ? "./child.ts" : "./child.js", own));
    const child = fork(path, [], {
      stdio: ["ignore", quietOutput ? 2 : "inherit", "inherit", "ipc"],
      // Nothing of how this process was started: its set-up would run once more in each of them.
      execArgv: [...lean, ...flagsFor(start.handler)],
      env: ownEnvironment(),
    });
    this.#child = child;
    this.#listener = listener;
    const tolerated = 3 * start.terms.leaseMs + slack;
    this.#silence = new Silence(
      () => (this.phase === "loading" ? Math.max(loading, tolerated) : tolerated),
      (ms) => {
        this.#silentMs = ms;
        child.kill("SIGKILL");
      },
    );
    child.on("message", (message: FromWorker) => this.#hear(message));
    child.on("exit", (code, signal) => {
      const end = (): void => this.#end(this.#fate(code, signal));
      // What it has said last may be on its way.
      if (!child.connected) return end();
      const timer = setTimeout(end, lastWords);
      child.once("disconnect", () => {
        clearTimeout(timer);
        end();
      });
    });
    child.on("error", (error) => {
      // Also emitted where a message could not be sent to a process that has just ended: its exit follows.
      if (child.pid === undefined) this.#end(error.message);
    });
    if (child.pid !== undefined) child.send(start);
  }

  /** 0 where it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Has it hold back its commits for so long; resolves with its process id once none is on its way. */
  hold(ms: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new InvalidArgumentError("the worker process has ended"));
      if (!this.#child.connected) return ended();
      this.#child.on("message", ({ type }: FromWorker) => type === "held" && resolve(this.pid));
      this.#child.once("exit", ended);
      this.send({ type: "hold", ms });
    });
  }

  #hear(message: FromWorker): void {
    this.#silence.heard();
    if (message.type === "held") return;
    if (message.type === "ready" || message.type === "working") this.phase = message.type;
    else if (message.type === "uncaught") this.#uncaught = message.error;
    else if (message.type === "event") {
      if (message.event.type === "dead") this.advanced = true;
      this.#listener.event(message.event);
    } else {
      if (message.report.stats.processed > 0) this.advanced = true;
      this.report = message.report;
      if (message.type === "report") return;
      this.#said = true;
      if (message.type === "failed") this.#listener.failed(message.failure);
      else this.outcome = message.outcome;
    }
  }

  #end(how: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#silence.end();
    this.#listener.ended(how, this.#said);
  }

  #fate(code: number | null, signal: NodeJS.Signals | null): string {
    if (this.#silentMs !== undefined)
      return `its handler blocked the event loop for more than ${this.#silentMs / 1000} s`;
    if (this.#uncaught !== undefined) return `its process ended by an error that nobody caught (${this.#uncaught})`;
    if (signal === "SIGKILL") return "its process was killed (SIGKILL), as where the machine runs out of memory";
    if (signal)
      return `its process was ended by ${signal}${broken.has(signal) ? ", as where it runs out of memory" : ""}`;
    // What a shell says of a process that was ended by a signal: 128 and more.
    return `its process ended with exit code ${code}${code === 134 ? ", as where it runs out of memory" : ""}`;
  }
}
