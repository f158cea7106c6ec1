import type { Worker } from "node:worker_threads";
import type { Outcome } from "../../../../src/port/index.ts";
import { backendAt } from "./kinds.ts";
import { record, results, run } from "./processes.ts";

/* Ends the commit thread of its own process with a write under way, and tells what callers see. */
let thread: Worker | undefined;
process.on("worker", (worker) => (thread = worker));

function told(outcome: Outcome): string {
  return outcome.ok
    ? "ok"
    : outcome.why === "failed"
      ? ((outcome.error as { code?: string }).code ?? "failed")
      : outcome.why;
}

const backend = await backendAt(process.argv[2] as string);
const session = backend.session();
const set = (key: string) => ({ ops: [{ op: "set", key: record(key), id: "1", value: "v" } as const] });
let gap: () => void = () => undefined;
const gapped = new Promise<void>((resolve) => (gap = resolve));
await session.signals?.subscribe({ topic: "t" }, (signal) => signal.type === "gap" && gap());
await run(session, set("first"));
// Nothing that the thread can make sense of: it ends over it, with the next write already in its mailbox.
thread?.postMessage([7, 1]);
const sent = run(session, set("sent"));
const waiting = run(session, set("waiting"));
process.send?.(`sent: ${told(await sent)}`);
process.send?.(`waiting: ${told(await waiting)}`);
process.send?.(`after: ${told(await run(session, set("after")))}`);
const [found] = await results(session, { op: "get", key: record("waiting") });
process.send?.(`reads: ${found ? "ok" : "lost"}`);
await gapped;
process.send?.("signals: gap");
await backend.close();
process.disconnect();
