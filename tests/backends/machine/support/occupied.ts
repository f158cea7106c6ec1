import { once } from "node:events";
import { connect } from "../../../../src/entries/index.ts";

/* Takes everything that a process can hold, for ten minutes, and keeps it until it is killed. */
const hf = await connect(process.argv[2] as string);
const lock = hf.lock("work");
const terms = { ttl: "10m" } as const;
const forever = new Promise<never>(() => undefined);
const begun = [
  lock.acquire("exclusive", terms),
  lock.semaphore("places", { permits: 1 }).acquire(terms),
  lock.readWrite("rates").write.acquire(terms),
  new Promise<void>((resolve) => void lock.elect("leader", () => (resolve(), forever), terms)),
  new Promise<void>((resolve) => void lock.runOnce("run", () => (resolve(), forever), terms)),
];
await Promise.all(begun);
process.send?.("all");
await once(process, "message");
