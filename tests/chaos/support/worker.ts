// A process of the harness: works on a store until it is told to stop, or dies.
import { openSync, writeSync } from "node:fs";
import { connect } from "../../../src/entries/index.ts";
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

const hf = await connect(config.url, { service: "chaos", timeout: config.timeout });
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
