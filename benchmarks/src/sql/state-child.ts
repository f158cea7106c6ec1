// One client in a process of its own: loads and saves as often as it is told. Started by state.ts.
import { inFlight, order } from "../measure.ts";
import { clients } from "./clients.ts";

/** What a child is told first. */
export interface Start {
  readonly url: string;
  readonly client: keyof typeof clients;
  /** How many records there are. */
  readonly count: number;
  /** Whether they are to be made before anything is measured; else another process has made them. */
  readonly fills: boolean;
}

/** What it is told after that; no operations, and it ends. */
export interface Work {
  readonly does: "load" | "save";
  /** Calls under way at a time. */
  readonly width: number;
  readonly operations: number;
}

process.once("message", (start) => void prepare(start as Start));

async function prepare({ url, client: name, count, fills }: Start): Promise<void> {
  const client = await clients[name](url);
  // Another value each time: MySQL and MariaDB write nothing, and flush nothing, where the row is so already.
  let saved = 0;
  const save = (key: string): Promise<unknown> => client.save(key, { ...order, revision: saved++ });
  const keyAt = (i: number): string => `order-${(i * 7_919) % count}`;
  if (fills) await inFlight(count, 256, (i) => save(`order-${i}`));
  process.on("message", (work) => void run(work as Work));
  process.send?.("ready");

  async function run({ does, width, operations }: Work): Promise<void> {
    globalThis.gc?.();
    if (operations === 0) await client.close();
    else if (does === "load") await inFlight(operations, width, (i) => client.load(keyAt(i)));
    else await inFlight(operations, width, (i) => save(keyAt(i)));
    process.send?.("done", () => {
      if (operations === 0) process.exit(0);
    });
  }
}
