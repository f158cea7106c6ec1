// Increments counters of a directory until it is killed or told to stop, and logs what it is told.
import { openSync, writeSync } from "node:fs";
import type * as Package from "../../../src/entries/index.ts";
import { errorLine, line } from "../support/kills-log.ts";

const { url, log, counters, padding } = JSON.parse(process.argv[2] as string) as {
  url: string;
  log: string;
  counters: readonly string[];
  /** Bytes that each value has more than it needs. */
  padding: number;
};
/** Calls at the same time. */
const fibers = 8;

let stopped = false;
process.on("message", () => (stopped = true));

// Compiled, since thousands of these start.
const compiled = "../../../dist/entries/index.js";
const { connect } = (await import(compiled)) as typeof Package;
const file = openSync(log, "a");
// Synchronous, so that what was logged outlives a kill.
const write = (text: string) => writeSync(file, text);
const hf = await connect(url, { service: "kills", timeout: "60s" });
const store = hf.state<{ n: number; padding: string }>("counters");
const value = (n: number) => ({ n, padding: "x".repeat(padding) });
process.send?.("ready");

async function fiber(): Promise<void> {
  while (!stopped) {
    const counter = counters[Math.floor(Math.random() * counters.length)] as string;
    const begin = process.hrtime.bigint();
    try {
      if (Math.random() < 0.3) {
        const found = await store.load(counter);
        write(line({ did: "load", counter, value: found?.n ?? 0, begin, end: process.hrtime.bigint() }));
      } else {
        const entry = await store.upsert(counter, (current) => value((current?.n ?? 0) + 1));
        write(line({ did: "increment", counter, value: entry?.value.n ?? 0, begin, end: process.hrtime.bigint() }));
      }
    } catch (error) {
      write(errorLine(error));
    }
    // A load may be answered at once: others have their turn.
    await new Promise(setImmediate);
  }
}

await Promise.all(Array.from({ length: fibers }, fiber));
await hf.close();
process.disconnect();
