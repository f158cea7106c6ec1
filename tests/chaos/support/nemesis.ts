import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { readHistory, readLog, type History } from "./history.ts";
import { Random } from "./random.ts";

export interface NemesisOptions {
  readonly url: string;
  /** A folder for the logs. */
  readonly logs: string;
  readonly seed: number;
  readonly processes: number;
  readonly kills: number;
  readonly pauses: number;
  readonly registers: number;
  readonly locks: number;
  readonly fibers: number;
  /** ms of a lease. A pause lasts longer. */
  readonly ttl: number;
}

interface Worker {
  readonly name: string;
  readonly log: string;
  readonly child: ChildProcess;
}

/**
 * Runs several processes on one store; kills and pauses them at seeded moments, and starts new ones. Returns what all of
 * them did, once the last ones have stopped by themselves.
 */
export async function runNemesis(options: NemesisOptions): Promise<History> {
  const random = new Random(options.seed);
  const all: Worker[] = [];
  let started = 0;

  async function start(): Promise<Worker> {
    const name = `p${started++}`;
    const log = `${options.logs}/${name}.jsonl`;
    const { url, registers, locks, fibers, ttl } = options;
    const config = { url, log, name, seed: options.seed * 100 + started, registers, locks, fibers, ttl };
    const child = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), [JSON.stringify(config)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const worker: Worker = { name, log, child };
    all.push(worker);
    await once(child, "message");
    return worker;
  }

  let live = await Promise.all(Array.from({ length: options.processes }, start));
  const deeds = [...Array<"kill">(options.kills).fill("kill"), ...Array<"pause">(options.pauses).fill("pause")]
    .map((deed) => ({ deed, order: random.next() }))
    .sort((a, b) => a.order - b.order)
    .map(({ deed }) => deed);

  for (const deed of deeds) {
    await delay(random.int(20, 200)); // the moment of the deed is what is random here
    const victim = random.pick(live);
    if (deed === "kill") {
      victim.child.kill("SIGKILL");
      await once(victim.child, "exit");
      live = live.filter((worker) => worker !== victim);
      live.push(await start());
    } else {
      victim.child.kill("SIGSTOP");
      await delay(options.ttl * 1.5);
      victim.child.kill("SIGCONT");
    }
  }
  await delay(200);

  const problems: string[] = [];
  await Promise.all(
    live.map(async ({ name, child }) => {
      const exit = once(child, "exit");
      child.send("stop");
      const [code, signal] = (await exit) as [number | null, string | null];
      if (code !== 0) problems.push(`${name} ended with ${code ?? signal}`);
    }),
  );
  if (problems.length > 0) throw new Error(problems.join("; "));
  return readHistory(all.map(({ name, log }) => ({ holder: name, lines: readLog(log) })));
}
