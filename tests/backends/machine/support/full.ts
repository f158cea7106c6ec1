import { fork } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import path from "node:path";
import { connect, isHoldfastError } from "../../../../src/entries/index.ts";
import { kinds, type Kind } from "./kinds.ts";

/*
 * Fills the file system that it is given to the last byte, goes on against the full disk, and then has space come back.
 * Tells what became of it as a line of JSON.
 */
const [, , name, disk, look] = process.argv as [string, string, string, string, string?];
const url = (kinds.find((kind) => kind.name === name) as Kind).url(disk);
if (look !== undefined) {
  const hf = await connect(url, { timeout: "20s" });
  process.send?.(await hf.state<string>("records").load("r1"));
  await hf.close();
  process.disconnect();
  process.exit();
}
const balloon = path.join(disk, "balloon");
fs.writeFileSync(balloon, Buffer.alloc(4 * 1024 * 1024));
const hf = await connect(url, { timeout: "20s" });
const records = hf.state<string>("records");
const acknowledged = new Map<string, string>();
const refusals = new Map<string, number>();
let written = 0;

async function attempt(body: () => Promise<unknown>): Promise<boolean> {
  try {
    await body();
    return true;
  } catch (error) {
    const refused = "refused" in (error as Error) && (error as { refused: unknown }).refused === true;
    const what = isHoldfastError(error) ? `${error.code}${refused ? " for now" : ""}: ${error.message}` : String(error);
    refusals.set(what, (refusals.get(what) ?? 0) + 1);
    return false;
  }
}

/** Saves values of many sizes, until so many were refused. */
async function fill(refused: number): Promise<void> {
  for (let failed = 0; failed < refused;) {
    const n = written++;
    const value = `${n} ${"x".repeat(200 + ((n * 7_919) % 40_000))}`;
    if (await attempt(() => records.save(`r${n}`, value))) acknowledged.set(`r${n}`, value);
    else failed++;
  }
}

const lost = async (): Promise<number> => {
  let missing = 0;
  for (const [key, value] of acknowledged) if ((await records.load(key)) !== value) missing++;
  return missing;
};

await Promise.all(Array.from({ length: 16 }, () => fill(40)));
const before = acknowledged.size;
const lostWhileFull = await lost();
const locked = await attempt(() => hf.lock("l").run("k", () => undefined, { ttl: "5s", wait: "1s" }));
const deleted = await attempt(() => records.delete("r0"));
acknowledged.delete("r0");
const other = fork(import.meta.filename, [name, disk, "look"], { execArgv: [] });
const [seen] = (await once(other, "message")) as [string];
const reopened = seen === acknowledged.get("r1");
await once(other, "exit");

fs.unlinkSync(balloon);
const more = await attempt(() => records.save("after", "space"));
acknowledged.set("after", "space");
await Promise.all(Array.from({ length: 16 }, () => fill(20)));
const lostAtLast = await lost();
await hf.close();
const fresh = await connect(url);
const kept = (await fresh.state<string>("records").loadMany([...acknowledged.keys()])).size;
await fresh.close();
console.log(
  JSON.stringify({
    refusals: [...refusals.keys()],
    acknowledgedWhileFull: before > 0,
    lost: lostWhileFull + lostAtLast + acknowledged.size - kept,
    locked,
    deleted,
    reopened,
    more,
    grew: acknowledged.size > before,
  }),
);
