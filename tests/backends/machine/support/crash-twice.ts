import type { Worker } from "node:worker_threads";
import { backendAt } from "./kinds.ts";
import { record, run } from "./processes.ts";

/* Ends the commit thread of its own process, and the next one before it can register a subscription anew. */
const threads: Worker[] = [];
/** Nothing that a thread can make sense of: it ends over it. */
const end = (thread: Worker | undefined): void => thread?.postMessage([7, 1]);
process.on("worker", (worker) => {
  if (threads.push(worker) === 2) end(worker);
});

// Subscriptions keep no process alive.
process.on("message", () => undefined);

const backend = await backendAt(process.argv[2] as string);
const session = backend.session();
let told: () => void = () => undefined;
const message = new Promise<void>((resolve) => (told = resolve));
let gapped: () => void = () => undefined;
const gap = new Promise<void>((resolve) => (gapped = resolve));
await session.signals?.subscribe({ topic: "t" }, ({ type }) => (type === "gap" ? gapped() : told()));
const first = threads[0];
const over = new Promise((resolve) => first?.once("exit", resolve));
end(first);
await over;
await gap;
const set = { ops: [{ op: "set", key: record("after"), id: "1", value: "v" } as const] };
for (let done = false; !done;) done = (await run(session, set)).ok;
await session.signals?.publish("t", "m");
await message;
process.send?.(`threads: ${threads.length}, told`);
await backend.close();
process.disconnect();
