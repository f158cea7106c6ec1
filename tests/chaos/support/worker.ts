// A process of the harness: works on a store until it is told to stop, or dies.
import { openSync, writeSync } from "node:fs";
import { connect, isHoldfastError, type Holdfast } from "../../../src/entries/index.ts";
import { runWorkload } from "./workload.ts";

const config = JSON.parse(process.argv[2] as string) as {
  url: string;
  log: string;
  name: string;
  seed: number;
  registers: number;
  locks: number;
  fibers: number;
  ttl: number;
  timeout: number;
};

const hf = await untilConnected();
const file = openSync(config.log, "a");
let stopped = false;
process.on("message", () => (stopped = true));
process.send?.("ready");
await runWorkload(hf, {
  ...config,
  // Synchronous, so that what was logged outlives a kill of this process.
  log: (line) => writeSync(file, `${JSON.stringify(line)}\n`),
  stopped: () => stopped,
});
await hf.close();
process.disconnect();

/** The store may be away, and several of these start at once on a busy machine. */
async function untilConnected(): Promise<Holdfast> {
  const until = performance.now() + 20_000;
  for (;;) {
    try {
      return await connect(config.url, { service: "chaos", timeout: config.timeout });
    } catch (error) {
      if (!isHoldfastError(error, "UNAVAILABLE") || performance.now() > until) throw error;
    }
  }
}
