import { format } from "../measure.ts";
import { answer, withChildren } from "../answer.ts";
import { connectRaw, type Raw } from "./clients.ts";
import type { Seen, Task } from "./contender.ts";
import { lockPeers, TUNED_DELAY_MS, type Retry } from "./peers.ts";

const PROCESSES = 4;
/** How long everybody runs before anything is measured: what a process does once for each turn is compiled only after seconds. */
const WARM_MS = 4_000;
let drawn = 0;

/** What one run of one lock gave. */
interface Result {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly mean: number;
  /** Most hand-offs of a process, over fewest. */
  readonly share: number;
  /** Commands that the server executed, those inside of scripts too, for each hand-off. */
  readonly commands: number;
  /** Scripts that it was sent, for each hand-off. */
  readonly scripts: number;
  /** Bytes in and out, for each hand-off. */
  readonly bytes: number;
  /** Holds that began before the one before had ended. */
  readonly overlaps: number;
  readonly clientCpu: number;
}

export interface ContendedOptions {
  readonly url: string;
  readonly peers: readonly string[];
  readonly measureMs: number;
  readonly rounds: number;
}

/** One lock that everybody wants: 4 processes, and the traffic with 4 to 1,000 waiters. */
export async function contended({ url, peers, measureMs, rounds }: ContendedOptions): Promise<void> {
  const raw = await connectRaw(url);
  const cases = peers.flatMap((peer): Omit<Task, "url" | "key" | "workers" | "counted">[] =>
    peer === "holdfast"
      ? [{ peer, retry: "default" }]
      : (["default", "tuned"] as const).map((retry) => ({ peer, retry })),
  );

  const results = cases.map((): Result[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { peer, retry }] of cases.entries()) {
      results[i]?.push(await run(raw, { url, peer, retry, workers: 64 }, measureMs));
    }
  }
  console.log(
    `\none lock, ${PROCESSES} processes of 64 workers, nothing done under it ` +
      `(tuned: asks again after ${TUNED_DELAY_MS} ms); median of ${rounds} rounds of ${measureMs / 1000} s`,
  );
  print(cases.map(({ peer, retry }, i) => [nameOf(peer, retry), medianOf(results[i] ?? [])]));
  const own = cases.findIndex(({ peer }) => peer === "holdfast");
  if (own >= 0 && cases.length > 1) {
    const ratios = Array.from({ length: rounds }, (_, round) => {
      const others = results.filter((_, i) => i !== own).map((of) => of[round]?.perSecond ?? 0);
      return (results[own]?.[round]?.perSecond ?? 0) / Math.max(...others);
    });
    console.log(`  holdfast is ${median(ratios).toFixed(1)}x of the best of the others`);
  }

  console.log("\nthe same with a counter in the server, read and written under the lock in two steps");
  for (const { peer, retry } of cases) {
    const task = { url, peer, retry, workers: 64 };
    const { result, counted } = await counting(raw, task, Math.min(measureMs, 2_000));
    console.log(
      `  ${nameOf(peer, retry).padEnd(26)} ${format(result.perSecond).padStart(8)}/s   ` +
        `${counted.holds} holds, counter ${counted.counter}, ${result.overlaps} overlaps` +
        (counted.counter === counted.holds && result.overlaps === 0 ? "" : "   NOT EXCLUSIVE"),
    );
  }

  console.log("\ntraffic for each hand-off, by the number of waiters");
  for (const { peer, retry } of cases) {
    if (retry === "default" && peer !== "holdfast") continue;
    const rows: [string, Result][] = [];
    for (const waiters of [4, 16, 64, 256, 1_000]) {
      const workers = waiters / PROCESSES;
      rows.push([`${waiters} waiters`, await run(raw, { url, peer, retry, workers }, Math.min(measureMs, 2_000))]);
    }
    console.log(nameOf(peer, retry));
    print(rows);
  }
  await raw.close();
}

type Case = Omit<Task, "key" | "counted">;

async function run(raw: Raw, task: Case, measureMs: number): Promise<Result> {
  const { seen, traffic } = await contend(raw, { ...task, key: `contended-${drawn++}`, counted: false }, measureMs);
  return resultOf(seen, traffic, measureMs);
}

/** Under a counter that only a lock keeps right; it goes on until all that was begun has ended. */
async function counting(raw: Raw, task: Case, measureMs: number) {
  const key = `contended-${drawn++}`;
  const { seen, traffic } = await contend(raw, { ...task, key, counted: true }, measureMs);
  const holds = seen.reduce((sum, of) => sum + of.holds.length / 2, 0);
  const counter = Number((await raw.get(`${key}-counter`)) ?? 0);
  return { result: resultOf(seen, traffic, measureMs), counted: { holds, counter } };
}

interface Traffic {
  readonly commands: number;
  readonly scripts: number;
  readonly bytes: number;
}

async function contend(raw: Raw, task: Task, measureMs: number) {
  const names = Array.from({ length: PROCESSES }, (_, i) => `contender ${i}`);
  return withChildren("redis/contender.ts", names, async (children) => {
    await Promise.all(children.map(async ({ child }) => answer(child, { task })));
    const window = { warmMs: task.counted ? 0 : WARM_MS, measureMs };
    const seen = Promise.all(children.map(async ({ child }) => answer(child, window) as Promise<Seen>));
    await new Promise((resolve) => setTimeout(resolve, window.warmMs));
    const before = await trafficOf(raw);
    await new Promise((resolve) => setTimeout(resolve, measureMs));
    const after = await trafficOf(raw);
    const traffic = {
      commands: after.commands - before.commands,
      scripts: after.scripts - before.scripts,
      bytes: after.bytes - before.bytes,
    };
    return { seen: await seen, traffic };
  });
}

async function trafficOf(raw: Raw): Promise<Traffic> {
  const [stats, calls] = await Promise.all([raw.info("stats"), raw.info("commandstats")]);
  const stat = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(stats)?.[1] ?? 0);
  const called = (name: string): number =>
    Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, "m").exec(calls)?.[1] ?? 0);
  return {
    commands: stat("total_commands_processed"),
    scripts: called("evalsha") + called("eval"),
    bytes: stat("total_net_input_bytes") + stat("total_net_output_bytes"),
  };
}

function resultOf(seen: readonly Seen[], traffic: Traffic, measureMs: number): Result {
  const handOffs = seen.reduce((sum, { holds }) => sum + holds.length / 2, 0);
  const counts = seen.map(({ holds }) => holds.length / 2);
  const waits = Float64Array.from(seen.flatMap((of) => [...of.waits])).toSorted();
  const at = (part: number): number => waits[Math.min(waits.length - 1, Math.floor(waits.length * part))] ?? 0;
  return {
    perSecond: (handOffs / measureMs) * 1000,
    p50: at(0.5),
    p99: at(0.99),
    max: waits.at(-1) ?? 0,
    mean: waits.reduce((sum, wait) => sum + wait, 0) / waits.length,
    share: Math.max(...counts) / Math.min(...counts),
    commands: traffic.commands / handOffs,
    scripts: traffic.scripts / handOffs,
    bytes: traffic.bytes / handOffs,
    overlaps: overlapsOf(seen),
    clientCpu: seen.reduce((sum, of) => sum + of.cpuMs, 0) / measureMs,
  };
}

/** The clock is the machine's, so holds of different processes can be laid side by side. */
function overlapsOf(seen: readonly Seen[]): number {
  const holds = seen
    .flatMap(({ holds: of }) => Array.from({ length: of.length / 2 }, (_, i) => [of[2 * i], of[2 * i + 1]] as const))
    .toSorted(([a = 0], [b = 0]) => a - b);
  return holds.filter(([begin = 0], i) => i > 0 && begin < (holds[i - 1]?.[1] ?? 0)).length;
}

function nameOf(peer: string, retry: Retry): string {
  return peer === "holdfast" ? peer : `${peer} (${retry})`;
}

const HEADINGS = [
  "hand-offs",
  "p50",
  "p99",
  "max",
  "mean ms",
  "p99/mean",
  "share",
  "commands",
  "scripts",
  "bytes",
  "overlaps",
  "CPUs",
];

/** A table; times are waits, traffic is for each hand-off, CPUs are those of the clients. */
function print(rows: readonly (readonly [string, Result])[]): void {
  console.log(lineOf("", HEADINGS));
  for (const [name, result] of rows) console.log(lineOf(name, cellsOf(result)));
}

function lineOf(name: string, cells: readonly string[]): string {
  return `  ${name.padEnd(25)}${cells.map((cell, i) => cell.padStart(i === 0 ? 10 : 9)).join("")}`;
}

function cellsOf(result: Result): string[] {
  const short = (value: number): string => value.toFixed(value < 10 ? 2 : 0);
  return [
    `${format(result.perSecond)}/s`,
    ...[result.p50, result.p99, result.max, result.mean].map(short),
    `${(result.p99 / result.mean).toFixed(1)}x`,
    `${result.share.toFixed(2)}x`,
    ...[result.commands, result.scripts, result.bytes].map(short),
    `${result.overlaps}`,
    result.clientCpu.toFixed(2),
  ];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Each figure's median over the rounds; overlaps are added up. */
function medianOf(results: readonly Result[]): Result {
  const of = (field: keyof Result): number => median(results.map((result) => result[field]));
  return {
    perSecond: of("perSecond"),
    p50: of("p50"),
    p99: of("p99"),
    max: of("max"),
    mean: of("mean"),
    share: of("share"),
    commands: of("commands"),
    scripts: of("scripts"),
    bytes: of("bytes"),
    overlaps: results.reduce((sum, result) => sum + result.overlaps, 0),
    clientCpu: of("clientCpu"),
  };
}

/** The locks that ask again and again, and ours. */
export const contenders = Object.keys(lockPeers);
