import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { readHistory, readLog, type History } from "./history.ts";
import { Random } from "./random.ts";

export interface NemesisOptions {
  /** Where the worker at a place, counted from 0, connects. */
  readonly url: (place: number) => string;
  /** A folder for the logs. */
  readonly logs: string;
  readonly seed: number;
  readonly processes: number;
  /** What is done, one after the other, in an order drawn by the seed. */
  readonly deeds: readonly Deed[];
  readonly registers: number;
  readonly locks: number;
  readonly fibers: number;
  /** ms of a lease. */
  readonly ttl: number;
  /** ms that a call on the store may take. */
  readonly timeout: number;
}

/** Something bad that happens while the workers work. */
export type Deed = (stage: Stage) => Promise<void>;

/** What a deed has in its hands. */
export interface Stage {
  readonly random: Random;
  /** Kills one worker, and starts another in its place. */
  kill(): Promise<void>;
  /** Stops one worker in its tracks for that long. */
  pause(ms: number): Promise<void>;
}

export const killWorker: Deed = async (stage) => stage.kill();

export function pauseWorker(ms: number): Deed {
  return async (stage) => stage.pause(ms);
}

/** The same deed several times. */
export function times(count: number, deed: Deed): Deed[] {
  return Array<Deed>(count).fill(deed);
}

interface Worker {
  readonly name: string;
  readonly place: number;
  readonly log: string;
  readonly child: ChildProcess;
}

/**
 * Runs several processes on one store while deeds are done to them and to what they need. Returns what all of them did, once
 * the last ones have stopped by themselves.
 */
export async function runNemesis(options: NemesisOptions): Promise<History> {
  const random = new Random(options.seed);
  const all: Worker[] = [];
  let started = 0;
  const ending = new Set<ChildProcess>();
  let tell: (error: Error) => void;
  /** Rejects when a worker ends that nobody ended: no deed is worth waiting for then. */
  const died = new Promise<never>((_, reject) => (tell = reject));
  died.catch(() => undefined); // it may end while nothing waits for it; the next deed finds it

  async function start(place: number): Promise<Worker> {
    const name = `p${started++}`;
    const log = `${options.logs}/${name}.jsonl`;
    const { registers, locks, fibers, ttl, timeout } = options;
    const seed = options.seed * 100 + started;
    const config = { url: options.url(place), log, name, seed, registers, locks, fibers, ttl, timeout };
    const child = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), [JSON.stringify(config)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const worker: Worker = { name, place, log, child };
    all.push(worker);
    await new Promise<void>((resolve, reject) => {
      child.once("message", () => resolve());
      child.once("exit", (code, signal) => {
        const error = new Error(`${name} ended with ${code ?? signal}`);
        reject(error);
        if (!ending.has(child)) tell(error);
      });
    });
    return worker;
  }

  const live: Worker[] = [];
  const stage: Stage = {
    random,
    async kill() {
      const { place, child } = random.pick(live);
      ending.add(child);
      child.kill("SIGKILL");
      await once(child, "exit");
      live[place] = await start(place);
    },
    async pause(ms) {
      const { child } = random.pick(live);
      child.kill("SIGSTOP");
      await delay(ms);
      child.kill("SIGCONT");
    },
  };
  const deeds = options.deeds
    .map((deed) => ({ deed, order: random.next() }))
    .sort((a, b) => a.order - b.order)
    .map(({ deed }) => deed);

  try {
    live.push(...(await Promise.all(Array.from({ length: options.processes }, async (_, place) => start(place)))));
    for (const deed of deeds) {
      await delay(random.int(20, 200)); // the moment of the deed is what is random here
      await Promise.race([deed(stage), died]);
    }
    await Promise.race([delay(200), died]);
    await Promise.all(
      live.map(async ({ name, child }) => {
        ending.add(child);
        const exit = once(child, "exit");
        child.send("stop");
        const [code, signal] = (await exit) as [number | null, string | null];
        if (code !== 0) throw new Error(`${name} ended with ${code ?? signal}`);
      }),
    );
  } finally {
    for (const { child } of all) child.kill("SIGKILL");
  }
  return readHistory(all.map(({ name, log }) => ({ holder: name, lines: readLog(log) })));
}
