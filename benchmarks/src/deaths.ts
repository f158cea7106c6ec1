// From the kill of a process that holds locks on files to the grant of those who wait, beside the end of the process as its parent sees it.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "holdfast";

const rounds = 15;
const directory = mkdtempSync(path.join(tmpdir(), "holdfast-bench-"));
const url = `file:${path.join(directory, "data")}`;
const holder = path.join(import.meta.dirname, "deaths-holder.mjs");
const hf = await connect(url, { service: "bench" });
const work = hf.lock("work");

for (const locks of [1, 50]) {
  const granted: number[] = [];
  const ended: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const child = fork(holder, [url, String(locks)]);
    await once(child, "message");
    const next = Array.from({ length: locks }, async (_, i) => {
      const lease = await work.acquire(`k${i}`, { ttl: "10m", wait: "10m" });
      const at = performance.now();
      await lease.release();
      return at;
    });
    await sleep(100); // they wait
    const killed = performance.now();
    child.kill("SIGKILL");
    await once(child, "exit");
    ended.push(performance.now() - killed);
    granted.push(Math.max(...(await Promise.all(next))) - killed);
  }
  console.log(`\nkill of a process that holds ${locks} lock${locks === 1 ? "" : "s"} of 10 minutes, ms`);
  print("holdfast lmdb, all who wait have them", granted);
  print("limit: the parent is told of its end", ended);
}
await hf.close();
rmSync(directory, { recursive: true });

function print(name: string, values: number[]): void {
  const sorted = values.toSorted((a, b) => a - b);
  const [least, middle, most] = [0, Math.floor(sorted.length / 2), sorted.length - 1].map((i) => sorted[i]?.toFixed(1));
  console.log(`  ${name.padEnd(44)} median ${middle}   (${least} to ${most})`);
}
