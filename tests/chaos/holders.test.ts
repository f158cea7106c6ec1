import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect, type Holdfast } from "../../src/entries/index.ts";

const processes = 20;
const holdersEach = 50;
const ttl = 1_000;
/** What the next waiter may come after the end of the lease. */
const slack = 50;

let directory: string;
let url: string;
let hf: Holdfast;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "holdfast-holders-"));
  url = `file:${directory}`;
  hf = await connect(url, { service: "holders", timeout: "20s" });
});
after(async () => {
  await hf.close();
  rmSync(directory, { recursive: true });
});

async function startHolder(prefix: string, renew: "renew" | "once"): Promise<ChildProcess> {
  const path = fileURLToPath(new URL("support/holder.ts", import.meta.url));
  const child = fork(path, [url, prefix, String(holdersEach), String(ttl), renew]);
  const [message] = (await once(child, "message")) as [{ held: number }];
  assert.equal(message.held, holdersEach);
  return child;
}

/** Waits for every lock of a holder; what it found there, and how long after `from` it was in. */
async function takeOver(
  prefix: string,
  from: () => number,
): Promise<{ readonly lost: number; readonly slowest: number }> {
  const lock = hf.lock("work");
  const store = hf.state<string>("work");
  const taken = await Promise.all(
    Array.from({ length: holdersEach }, async (_, i) => {
      const key = `${prefix}-${i}`;
      const lease = await lock.acquire(key, { ttl: "20s", wait: "20s" });
      const waited = performance.now() - from();
      const found = await store.load(key);
      await store.save(key, "next", { lease });
      await lease.release();
      return { waited, found };
    }),
  );
  return {
    lost: taken.filter(({ found }) => found !== "early").length,
    slowest: Math.max(...taken.map(({ waited }) => waited)),
  };
}

void test("1,000 holders are killed: nothing acknowledged is lost, the next waiter is in within the lease and 50 ms", async (t) => {
  let slowest = 0;
  for (let i = 0; i < processes; i++) {
    const prefix = `kill-${i}`;
    const child = await startHolder(prefix, "renew");
    let killed = 0;
    const next = takeOver(prefix, () => killed);
    const gone = once(child, "exit");
    killed = performance.now();
    child.kill("SIGKILL");
    const [result] = await Promise.all([next, gone]);
    assert.equal(result.lost, 0);
    slowest = Math.max(slowest, result.slowest);
  }
  t.diagnostic(`slowest waiter: ${(slowest - ttl).toFixed(1)} ms after the latest end of the lease`);
  assert.ok(slowest <= ttl + slack, `a waiter was in ${slowest - ttl} ms after the lease`);
});

void test("1,000 holders are paused past their lease: none of their late writes is accepted", async (t) => {
  let slowest = 0;
  const late: string[] = [];
  for (let i = 0; i < processes; i++) {
    const prefix = `pause-${i}`;
    const child = await startHolder(prefix, "once"); // nothing is on its way: it is paused outside of a commit
    const paused = performance.now();
    child.kill("SIGSTOP");
    const result = await takeOver(prefix, () => paused);
    assert.equal(result.lost, 0);
    slowest = Math.max(slowest, result.slowest);
    const answer = once(child, "message") as Promise<[{ outcomes: string[] }]>;
    const gone = once(child, "exit");
    child.send("go on");
    child.kill("SIGCONT");
    const [{ outcomes }] = await answer;
    late.push(...outcomes);
    await gone;
    const values = await hf
      .state<string>("work")
      .loadMany(Array.from({ length: holdersEach }, (_, n) => `${prefix}-${n}`));
    assert.deepEqual(new Set(values.values()), new Set(["next"]));
  }
  t.diagnostic(`slowest waiter: ${(slowest - ttl).toFixed(1)} ms after the latest end of the lease`);
  assert.equal(late.length, processes * holdersEach);
  assert.deepEqual(new Set(late), new Set(["FENCED"]));
  assert.ok(slowest <= ttl + slack, `a waiter was in ${slowest - ttl} ms after the lease`);
});
