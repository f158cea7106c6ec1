import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import assert from "node:assert/strict";
import { isRunning } from "../support/is-running.ts";
import { cli } from "./support.ts";

/** A command that was started. */
export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<{ code: number | null; out: string; err: string }>;
}

/** How a command is started. */
export interface StartOptions {
  /** Given to its standard input. */
  readonly input?: string | undefined;
  /** A program and its arguments that start it in turn. */
  readonly through?: readonly string[] | undefined;
}

/** Starts the command; it and all that it started end with the test. */
export function start(t: TestContext, args: readonly string[], cwd: string, options: StartOptions = {}): Running {
  const { input, through = [] } = options;
  const [program, ...rest] = [...through, process.execPath, cli, ...args] as [string, ...string[]];
  const child = spawn(program, rest, {
    cwd,
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  t.after(() => killAll(treeOf(child.pid as number)));
  let out = "";
  let err = "";
  child.stdout?.on("data", (data: Buffer) => void (out += data.toString()));
  child.stderr?.on("data", (data: Buffer) => void (err += data.toString()));
  child.stdin?.end(input);
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, out, err }));
  return { child, pid: child.pid as number, ended };
}

/** A process and all that it started, by what Linux says. */
export function treeOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const stat = readIfThere(`/proc/${name}/stat`);
    if (stat !== "") parents.set(Number(name), Number(stat.replace(/^.*\) /s, "").split(" ")[1]));
  }
  const tree = [root];
  for (let i = 0; i < tree.length; i++) for (const [pid, parent] of parents) if (parent === tree[i]) tree.push(pid);
  return tree;
}

/** The content of a file, or nothing. */
export function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

export function killAll(pids: readonly number[]): void {
  for (const pid of pids) if (isRunning(pid)) process.kill(pid, "SIGKILL");
}

/** Waits until something is so, for at most so many ms. */
export async function until(what: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  for (const end = Date.now() + ms; !(await what()); await sleep(20)) assert.ok(Date.now() < end, "waited in vain");
}
