import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { ownEnvironment } from "../../base/environment.ts";
import { InvalidArgumentError, UnavailableError, UnsupportedError, type HoldfastError } from "../../base/errors.ts";
import type { Done, ThreadStart, WiredError, WorkerMessage, WorkerRequest } from "./commands.ts";
import type { Speech, Thread } from "./engine.ts";
import type { PeerRecord } from "./meta.ts";

const allPlain: Done = { type: "done", outcomes: [], ping: [], passing: [] };

/** How long the thread may take to end, in ms. */
const closeTimeout = 5_000;

/** An error of ours that the thread threw as it opened the data. */
function revived({ code, message }: WiredError, backend: string): HoldfastError | undefined {
  if (code === "UNSUPPORTED") return new UnsupportedError(message, { backend });
  return code === "INVALID_ARGUMENT" ? new InvalidArgumentError(message, { backend }) : undefined;
}

/** What was learned as the thread opened the data. */
export type Ready = Extract<WorkerMessage, { readonly type: "ready" }>;

/** The commit thread, seen from the main thread. It keeps the process alive only while told to. */
export class WorkerHost {
  readonly ready: Ready;
  readonly #worker: Worker;
  readonly #thread: Thread;
  readonly #memories: SharedArrayBuffer[] = [];

  private constructor(worker: Worker, thread: Thread, ready: Ready) {
    this.#worker = worker;
    this.#thread = thread;
    this.ready = ready;
  }

  /**
   * Starts the thread; rejects when it cannot open the data. It keeps the data open until {@link WorkerHost.close}.
   * `onExit` is called when it ends afterwards, for whatever reason.
   */
  static start(
    { name, explain }: Speech,
    thread: Thread,
    peer: PeerRecord,
    onDone: (done: Done) => void,
    onExit: (host: WorkerHost) => void,
  ): Promise<WorkerHost> {
    const { file } = thread;
    if (file.protocol !== "file:" || !existsSync(fileURLToPath(file))) {
      thread.onEnded();
      throw new UnsupportedError(
        `the ${name} backend's thread was not found beside its code, as happens when the package is ` +
          "bundled: leave holdfast out of the bundle (external)",
        { backend: name },
      );
    }
    return new Promise((resolve, reject) => {
      const workerData: ThreadStart = { peer, data: thread.data };
      // Nothing of how the application was started: its loaders and set-up would run once more, in here.
      const worker = new Worker(file, { workerData, name: `holdfast-${name}`, execArgv: [], env: ownEnvironment() });
      let host: WorkerHost | undefined;
      let crash: unknown;
      let refused = false;
      worker.on("error", (error) => {
        crash = error;
      });
      worker.once("exit", () => thread.onEnded());
      worker.on("exit", () => {
        if (host) onExit(host);
        else if (!refused) {
          const why = `the ${name} backend's thread ended while it started`;
          reject(new UnavailableError(why, { backend: name, cause: crash }));
        }
      });
      worker.on("message", (message: WorkerMessage) => {
        if (message === null || message.type === "done") onDone(message ?? allPlain);
        else if (message.type === "ready") resolve((host = new WorkerHost(worker, thread, message)));
        else {
          refused = true;
          // Its end closes what it had opened.
          void worker.terminate().then(() => reject(revived(message.error, name) ?? explain(message.error)));
        }
      });
    });
  }

  /** The main thread has the data open. */
  opened(): void {
    this.#thread.onOpened();
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
    this.#thread.onOpened();
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
