import { isHoldfastError } from "../base/errors.ts";
import { Causes } from "./causes.ts";
import { committerFor } from "./committer.ts";
import { connectPatiently } from "./connecting.ts";
import { describe } from "./describe.ts";
import { identity } from "./identity.ts";
import { loadHandler } from "./handler.ts";
import { reportOf } from "./in-process.ts";
import { openRecords } from "./input/source.ts";
import type { Fault, FromWorker, ToWorker, WorkerReport } from "./messages.ts";
import type { Handler } from "./types.ts";
import { Worker } from "./worker.ts";

// One worker process. The parent says what to do; when the parent is gone there is nobody to work for.

/** How often the parent is told how far the worker is, in ms. */
const reporting = 200;
const nothing: WorkerReport = {
  stats: { processed: 0, dead: 0, waiting: 0, conflicts: 0, fenced: 0 },
  running: 0,
  partitions: [],
  marks: [],
};

const stop = new AbortController();
const causes = new Causes();
let worker: Worker | undefined;

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message);
}

/** The last word: resolves when it is on its way. */
function tellLast(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, () => resolve());
    else resolve();
  });
}

async function work(start: ToWorker & { type: "start" }): Promise<void> {
  const { store, handler: path, source, format, terms, lost } = start;
  for (const process of lost) causes.tell(process);
  const handler = await loadHandler(path);
  const hf = await connectPatiently(store, terms.storeTimeoutMs, stop.signal);
  const opening = await openRecords(source, format);
  tell({ type: "ready" });
  const first: Handler = (item, ctx) => {
    mine.handler = handler;
    tell({ type: "working" });
    return handler(item, ctx);
  };
  const mine: Worker = (worker = new Worker(
    hf,
    committerFor(hf, terms.job.key !== null),
    first,
    { ...terms, opening, causes, who: identity() },
    (event) => tell({ type: "event", event }),
  ));
  stop.signal.addEventListener("abort", () => mine.stop());
  if (stop.signal.aborted) mine.stop();
  try {
    const outcome = await mine.run();
    await hf.close();
    await tellLast({ type: "end", outcome, report: reportOf(mine) });
  } catch (error) {
    await tellLast({ type: "failed", fault: faultOf(error), report: reportOf(mine) });
  } finally {
    await opening.file.close();
  }
}

function faultOf(error: unknown): Fault {
  const message = error instanceof Error ? error.message : String(error);
  return { code: isHoldfastError(error) ? error.code : undefined, message };
}

/** Finishes what is in hand; where nothing can be, because the handler is not loaded yet, ends at once. */
function halt(): void {
  stop.abort();
  if (!worker) void tellLast({ type: "end", outcome: "stopped", report: nothing }).finally(() => leave(0));
}

/** After this, whatever a handler left open does not keep the process. */
function leave(code: number): void {
  if (process.connected) process.disconnect();
  process.exit(code);
}

// Also as a sign of life, from the start.
setInterval(() => tell({ type: "report", report: worker ? reportOf(worker) : nothing }), reporting);
// Whatever a handler left behind that nobody has caught ends the process, as anywhere.
process.on("uncaughtExceptionMonitor", (error) => {
  const { name, message } = describe(error);
  tell({ type: "uncaught", error: `${name}: ${message}` });
});
process.on("disconnect", () => process.exit(1));
// A terminal interrupts the whole group: the parent decides what that means.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", halt);
process.on("message", (message: ToWorker) => {
  if (message.type === "stop") halt();
  else if (message.type === "lost") causes.tell(message.process);
  else if (message.type === "hold") void worker?.hold(message.ms).then(() => tell({ type: "held" }));
  else {
    work(message)
      .catch((error: unknown) => tellLast({ type: "failed", fault: faultOf(error), report: nothing }))
      .finally(() => leave(0));
  }
});
