import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import type { Kind } from "../../backends/machine/support/kinds.ts";
import { connect } from "../../../src/entries/index.ts";
import { checkCounters } from "./kills-check.ts";
import { readLog } from "./kills-log.ts";

export interface KillsOptions {
  readonly kind: Kind;
  /** In which the data is. */
  readonly folder: string;
  /** A folder for the logs. */
  readonly logs: string;
  /** How many processes that work are killed. */
  readonly kills: number;
  /** How often the data is opened and closed beside them, at least. */
  readonly opens: number;
  /** Bytes of a value, about. */
  readonly padding: number;
  /** Loops that keep a core busy each. */
  readonly busy: number;
}

export interface KillsResult {
  readonly kills: number;
  readonly opens: number;
  readonly increments: number;
  readonly loads: number;
  /** What an acknowledged increment or a load shows to be wrong, and what was rejected at living callers. */
  readonly wrong: readonly string[];
}

const counters = ["a", "b", "c", "d", "e", "f"];
const workers = 8;
/** How many of them are left alone while they are the oldest, so that there is always something to lose. */
const steady = 2;
const openers = 2;

/**
 * Processes increment counters while they are killed and replaced. Others open the data, and are stopped for a moment or killed,
 * mostly in the middle of an open.
 */
export async function runKills(options: KillsOptions): Promise<KillsResult> {
  const { kind, folder, logs, padding, busy } = options;
  const url = kind.url(folder);
  const all = new Set<ChildProcess>();
  const logFiles: string[] = [];
  const wrong: string[] = [];
  /** Those that were killed, whose end is no surprise. */
  const killed = new Set<ChildProcess>();
  /** Workers that work, the oldest first. */
  const working: ChildProcess[] = [];
  const opening = new Set<ChildProcess>();
  let kills = 0;
  let opens = 0;
  let over = false;

  function start(program: string, args: readonly string[]): ChildProcess {
    const child = fork(fileURLToPath(new URL(`../programs/${program}`, import.meta.url)), args, {
      execArgv: ["--no-warnings"],
      stdio: ["ignore", "inherit", "pipe", "ipc"],
    });
    all.add(child);
    let said = "";
    child.stderr?.on("data", (data) => (said = `${said}${data}`.slice(0, 2_000)));
    child.once("close", (code, signal) => {
      all.delete(child);
      if (code !== 0 && !killed.has(child)) wrong.push(`${program} ended by itself with ${code ?? signal}: ${said}`);
    });
    return child;
  }

  async function kill(child: ChildProcess): Promise<void> {
    killed.add(child);
    const end = once(child, "close");
    child.kill("SIGKILL");
    await end;
  }

  function startWorker(): void {
    const log = `${logs}/${logFiles.length}.log`;
    logFiles.push(log);
    const child = start("increment.ts", [JSON.stringify({ url, log, counters, padding })]);
    child.once("message", () => working.push(child));
    child.once("close", () => {
      const place = working.indexOf(child);
      if (place >= 0) working.splice(place, 1);
    });
  }

  function startOpener(): void {
    const child = start("opener.ts", [kind.name, kind.file(folder)]);
    opening.add(child);
    child.on("message", () => opens++);
    child.once("close", () => {
      opening.delete(child);
      if (!over) startOpener();
    });
  }

  /** Stops one for a moment, so that others commit in the middle of an open or of a commit; kills some that open. */
  async function disturb(): Promise<void> {
    while (!over) {
      const child = pick([...opening, ...working]);
      if (child) {
        child.kill("SIGSTOP");
        await delay(5 + Math.random() * 15);
        if (opening.has(child) && Math.random() < 0.04) await kill(child);
        else child.kill("SIGCONT");
      }
      await delay(Math.random() * 10);
    }
  }

  try {
    // The first of all makes the data.
    await (await connect(url, { service: "kills" })).close();
    for (let i = 0; i < workers; i++) startWorker();
    for (let i = 0; i < openers; i++) startOpener();
    for (let i = 0; i < busy; i++) start("busy.ts", []);
    const disturbing = disturb();
    while ((kills < options.kills || opens < options.opens) && wrong.length === 0) {
      await delay(10 + Math.random() * 100); // the moment of the kill is what is random here
      const child = kills < options.kills ? pick(working.slice(steady)) : undefined;
      if (!child) continue;
      await kill(child);
      kills++;
      startWorker();
    }
    over = true;
    await disturbing;
    for (const child of all) if (child.connected) child.send("stop", () => undefined); // it may just have ended
    for (let [child] = all; child; [child] = all) await once(child, "close");
  } finally {
    for (const child of all) child.kill("SIGKILL");
  }

  const final = new Map<string, number>();
  const hf = await connect(url, { service: "kills", timeout: "60s" });
  const store = hf.state<{ n: number }>("counters");
  for (const counter of counters) final.set(counter, (await store.load(counter))?.n ?? 0);
  await hf.close();
  const read = logFiles.map((file) => readLog(file));
  const entries = read.flatMap((log) => log.entries);
  wrong.push(...read.flatMap((log) => log.errors), ...checkCounters(entries, final));
  const increments = entries.filter(({ did }) => did === "increment").length;
  return { kills, opens, increments, loads: entries.length - increments, wrong };
}

function pick<T>(list: readonly T[]): T | undefined {
  return list[Math.floor(Math.random() * list.length)];
}
