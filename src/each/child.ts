import { isHoldfastError } from "../base/errors.ts";
import { Causes } from "./causes.ts";
import { identity } from "./identity.ts";
import { loadHandler } from "./handler.ts";
import { openRecords } from "./input/source.ts";
import { faultOf } from "./item.ts";
import type { Failure, FromWorker, Start, ToWorker } from "./messages.ts";
import { connectPatiently } from "./outage.ts";
import { noReport } from "./report.ts";
import type { Handler } from "./types.ts";
import { Worker } from "./worker.ts";

// One worker process. The parent says what to do; when the parent is gone there is nobody to work for.

/** Between two reports to the parent, in ms. */
const reporting = 200;

const stop = new AbortController();
const causes = new Causes();
let worker: Worker | undefined;

/** Resolves when the message is on its way. */
function tell(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, () => resolve());
    else resolve();
  });
}

async function work({ store, handler: path, source, terms, lost }: Start): Promise<void> {
  for (const process of lost) causes.tell(process);
  const handler = await loadHandler(path);
  const hf = await connectPatiently(store, terms.storeTimeoutMs, stop.signal);
  const opening = await openRecords(source.path, source.fingerprint.size, terms.job);
  void tell({ type: "ready" });
  let working = false;
  const first: Handler = (item, ctx) => {
    if (!working) void tell({ type: "working" });
    working = true;
    return handler(item, ctx);
  };
  const mine = new Worker(hf, first, { ...terms, opening, causes, who: identity() }, (event) => {
    void tell({ type: "event", event });
  });
  worker = mine;
  stop.signal.addEventListener("abort", () => mine.stop());
  if (stop.signal.aborted) mine.stop();
  try {
    const outcome = await mine.run();
    await hf.close();
    await tell({ type: "end", outcome, report: mine.report() });
  } catch (error) {
    await tell({ type: "failed", failure: failureOf(error), report: mine.report() });
  } finally {
    await opening.file.close();
  }
}

function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  return { code: isHoldfastError(error) ? error.code : undefined, message };
}

/** Finishes what is in hand; where nothing can be, because the handler is not loaded yet, ends at once. */
function halt(): void {
  stop.abort();
  if (!worker) void tell({ type: "end", outcome: "stopped", report: noReport }).finally(() => leave(0));
}

/** After this, whatever a handler left open does not keep the process. */
function leave(code: number): void {
  if (process.connected) process.disconnect();
  process.exit(code);
}

// Also as a sign of life, from the start.
setInterval(() => void tell({ type: "report", report: worker?.report() ?? noReport }), reporting);
// Whatever a handler left behind that nobody has caught ends the process, as anywhere.
process.on("uncaughtExceptionMonitor", (error) => {
  const { name, message } = faultOf(error);
  void tell({ type: "uncaught", error: `${name}: ${message}` });
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
      .catch((error: unknown) => tell({ type: "failed", failure: failureOf(error), report: noReport }))
      .finally(() => leave(0));
  }
});
