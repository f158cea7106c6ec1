import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { ownEnvironment } from "../../base/environment.ts";
import { UnavailableError, UnsupportedError } from "../../base/errors.ts";
import type { Done, WorkerMessage, WorkerRequest, WorkerStart } from "./commands.ts";
import { Gate, guardExit } from "./gate.ts";
import { toError } from "./failures.ts";

const allPlain: Done = { type: "done", outcomes: [], ping: [], passing: [] };

/** How long the thread may take to end, in ms. */
const closeTimeout = 5_000;

/** The commit thread, seen from the main thread. It keeps the process alive only while told to. */
export class WorkerHost {
  readonly epoch: number;
  readonly #worker: Worker;
  readonly #shared: SharedArrayBuffer;
  readonly #memories: SharedArrayBuffer[] = [];

  private constructor(worker: Worker, epoch: number, shared: SharedArrayBuffer) {
    this.#worker = worker;
    this.epoch = epoch;
    this.#shared = shared;
  }

  /**
   * Starts the thread; rejects when it cannot open the data. The thread does nothing, and keeps the environment open,
   * until {@link WorkerHost.go} or {@link WorkerHost.close}. is called when it ends afterwards, for whatever reason.
   */
  static start(
    start: Omit<WorkerStart, "gate" | "shared">,
    onDone: (done: Done) => void,
    onExit: (host: WorkerHost) => void,
  ): Promise<WorkerHost> {
    // The file beside this one, as source or compiled.
    const url = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);
    if (url.protocol !== "file:" || !existsSync(fileURLToPath(url))) {
      throw new UnsupportedError(
        "the lmdb backend's thread was not found beside its code, as happens when the package is " +
          "bundled: leave holdfast out of the bundle (external)",
        { backend: "lmdb" },
      );
    }
    const gate = new Gate();
    const unguard = guardExit(gate);
    const shared = new SharedArrayBuffer(4);
    return new Promise((resolve, reject) => {
      const workerData: WorkerStart = { ...start, gate: gate.memory, shared };
      // Nothing of how the application was started: its loaders and set-up would run once more, in here.
      const worker = new Worker(url, { workerData, name: "holdfast-lmdb", execArgv: [], env: ownEnvironment() });
      let host: WorkerHost | undefined;
      let crash: unknown;
      let refused = false;
      worker.on("error", (error) => {
        crash = error;
      });
      worker.once("exit", unguard);
      worker.on("exit", () => {
        if (host) onExit(host);
        else if (!refused)
          reject(
            new UnavailableError("the lmdb backend's thread ended while it started", { backend: "lmdb", cause: crash }),
          );
      });
      worker.on("message", (message: WorkerMessage) => {
        if (message === null || message.type === "done") onDone(message ?? allPlain);
        else if (message.type === "ready") resolve((host = new WorkerHost(worker, message.epoch, shared)));
        else {
          refused = true;
          // Its end closes what it had opened.
          void worker.terminate().then(() => reject(toError(message.error)));
        }
      });
    });
  }

  /** Has it work: the main thread shares its environment. */
  go(): void {
    const field = new Int32Array(this.#shared);
    Atomics.store(field, 0, 1);
    Atomics.notify(field, 0);
  }

  /**
   * Hands over a batch: the first `length` bytes of `memory`. Each slot has one memory, sent again only when it is
   * another.
   */
  post(slot: number, memory: SharedArrayBuffer, length: number): void {
    const known = this.#memories[slot] === memory;
    this.#memories[slot] = memory;
    this.#worker.postMessage((known ? [slot, length] : [slot, length, memory]) satisfies WorkerRequest);
  }

  /** Whether a call waits for it. */
  keepAlive(wanted: boolean): void {
    if (wanted) this.#worker.ref();
    else this.#worker.unref();
  }

  /** Lets it close its files and end; stops waiting when another process holds it up. */
  close(): Promise<void> {
    this.go();
    return new Promise((resolve) => {
      const given = setTimeout(resolve, closeTimeout);
      this.#worker.once("exit", () => {
        clearTimeout(given);
        resolve();
      });
      this.#worker.postMessage("close" satisfies WorkerRequest);
    });
  }
}
