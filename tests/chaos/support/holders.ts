import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connect, type Holdfast } from "../../../src/entries/index.ts";
import { machineTime } from "./machine-time.ts";

export interface HoldersOptions {
  readonly url: string;
  /** How many processes, one after the other, hold that many locks each. */
  readonly processes: number;
  readonly holders: number;
  /** ms that the next waiter may come after the end of the lease, besides what the machine itself is late. */
  readonly slack: number;
  /** Whether the death of a holder is known, so that its lease ends with it. */
  readonly deathIsKnown?: boolean;
  /** Whether the store is a server: it may be late when this process is not, with its disk for one. */
  readonly asks?: boolean;
  /** How long a lease lasts, in ms: longer by far than what a holder asks takes on a busy machine. Default 1,000. */
  readonly ttl?: number | undefined;
}

const usualTtl = 1_000;

/** Kills processes that hold locks: nothing acknowledged is lost, and the next waiter is in in time. */
export async function killHolders(t: TestContext, options: HoldersOptions): Promise<void> {
  const { ttl = usualTtl } = options;
  await withWaiters(t, options, async (hf) => {
    let slowest = 0;
    for (let i = 0; i < options.processes; i++) {
      const prefix = `kill-${i}`;
      const { child } = await startHolder(options, prefix, "renew");
      let killed = 0;
      const next = takeOver(hf, prefix, options, () => killed - (options.deathIsKnown ? ttl : 0));
      const gone = once(child, "exit");
      killed = machineTime(); // a renewal may have armed them right before
      child.kill("SIGKILL");
      const [result] = await Promise.all([next, gone]);
      assert.equal(result.lost, 0);
      slowest = Math.max(slowest, result.slowest);
    }
    return slowest;
  });
}

/** Pauses processes that hold locks past their leases: none of their late writes is accepted. */
export async function pauseHolders(t: TestContext, options: HoldersOptions): Promise<void> {
  await withWaiters(t, options, async (hf) => {
    let slowest = 0;
    const late: string[] = [];
    for (let i = 0; i < options.processes; i++) {
      const prefix = `pause-${i}`;
      const { child, armed } = await startHolder(options, prefix, "once"); // nothing is on its way while it is paused
      child.kill("SIGSTOP");
      const result = await takeOver(hf, prefix, options, () => armed);
      assert.equal(result.lost, 0);
      slowest = Math.max(slowest, result.slowest);
      const answer = once(child, "message") as Promise<[{ outcomes: string[] }]>;
      const gone = once(child, "exit");
      child.send("go on");
      child.kill("SIGCONT");
      const [{ outcomes }] = await answer;
      late.push(...outcomes);
      await gone;
      const keys = Array.from({ length: options.holders }, (_, n) => `${prefix}-${n}`);
      const values = await hf.state<string>("work").loadMany(keys);
      assert.equal(values.size, options.holders);
      assert.deepEqual(new Set(values.values()), new Set(["next"]));
    }
    assert.equal(late.length, options.processes * options.holders);
    assert.deepEqual(new Set(late), new Set(["FENCED"]));
    return slowest;
  });
}

async function withWaiters(
  t: TestContext,
  { url, slack, asks = false }: HoldersOptions,
  run: (hf: Holdfast) => Promise<number>,
): Promise<void> {
  const hf = await connect(url, { service: "holders", timeout: "20s" });
  // A machine that is busy with other things is late with everything: with this process, and with the thread that commits.
  const lateness = monitorEventLoopDelay({ resolution: 1 });
  lateness.enable();
  try {
    const stop = new AbortController();
    const [over, asked] = await Promise.all([
      run(hf).finally(() => stop.abort()),
      asks ? slowestSave(hf, stop.signal) : 0,
    ]);
    lateness.disable();
    const machine = Math.max(lateness.max / 1e6, asked);
    t.diagnostic(
      `slowest waiter: ${over.toFixed(1)} ms after the end of the lease; the machine was up to ${machine.toFixed(1)} ms late`,
    );
    // The end of a lease comes here by a timer, a death by the kernel; it is committed by a thread and told again: each may be as late.
    assert.ok(over <= slack + 5 * machine, `a waiter was in ${over} ms after the end of the lease`);
  } finally {
    await hf.close();
  }
}

/** The longest that a save took until `signal`, in ms: every 20 ms one is made. */
async function slowestSave(hf: Holdfast, signal: AbortSignal): Promise<number> {
  const probes = hf.state<number>("probes");
  let slowest = 0;
  while (!signal.aborted) {
    const start = machineTime();
    await probes.save("probe", start);
    slowest = Math.max(slowest, machineTime() - start);
    await pause(20);
  }
  return slowest;
}

/** A process that holds its locks, and when the last of them was armed at the latest. */
async function startHolder(
  { url, holders, ttl = usualTtl }: HoldersOptions,
  prefix: string,
  renew: "renew" | "once",
): Promise<{ readonly child: ChildProcess; readonly armed: number }> {
  const path = fileURLToPath(new URL("holder.ts", import.meta.url));
  const child = fork(path, [url, prefix, String(holders), String(ttl), renew]);
  const ended = once(child, "exit").then(([code]) => Promise.reject(new Error(`a holder has ended with ${code}`)));
  const [{ held, armed }] = (await Promise.race([once(child, "message"), ended])) as [{ held: number; armed: number }];
  ended.catch(() => undefined); // it is told to, later
  assert.equal(held, holders);
  return { child, armed };
}

/** Waits for every lock of a holder; what it found there, and how long after the end of a lease that was armed at `from` it was in. */
async function takeOver(
  hf: Holdfast,
  prefix: string,
  { holders, ttl = usualTtl }: HoldersOptions,
  from: () => number,
): Promise<{ readonly lost: number; readonly slowest: number }> {
  const lock = hf.lock("work");
  const store = hf.state<string>("work");
  const taken = await Promise.all(
    Array.from({ length: holders }, async (_, i) => {
      const key = `${prefix}-${i}`;
      const began = machineTime();
      const lease = await lock.acquire(key, { ttl: "20s", wait: "20s" });
      const over = machineTime() - Math.max(from() + ttl, began);
      const found = await store.load(key);
      await store.save(key, "next", { lease });
      await lease.release();
      return { over, found };
    }),
  );
  return {
    lost: taken.filter(({ found }) => found !== "early").length,
    slowest: Math.max(...taken.map(({ over }) => over)),
  };
}
