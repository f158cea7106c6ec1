import { run } from "node:test";
import { spec } from "node:test/reporters";
import { once } from "node:events";
import path from "node:path";
import { isLeftOut } from "./left-out.ts";
import { root } from "./run.ts";
import type { Unit } from "./test-plan.ts";

/** What the runner tells of a file; the parts that are looked at here. */
interface Told {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly nesting?: number;
    readonly message?: string;
    readonly file?: string;
    readonly skip?: string | boolean;
    readonly details?: { readonly type?: string };
    readonly counts?: Readonly<Record<string, number>>;
  };
}

/** Counts of the summary, in its order. */
const counted = ["tests", "suites", "passed", "failed", "cancelled", "skipped", "todo"] as const;
const shown: Readonly<Record<string, string>> = { passed: "pass", failed: "fail" };
const summaryLine = /^(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/** How long one test, and how long one file may take, in ms: a file that leaves something open does not end by itself. */
export interface Limits {
  readonly test: number;
  readonly file: number;
}

/**
 * Runs units side by side, the first ones first, as many at a time as their weights allow. What a unit printed comes when it is
 * over; one summary of all of them comes last, and after it the tests that failed. Gives the exit code: a file fails that does
 * not end in time, or in which no test ran.
 */
export async function runUnits(units: readonly Unit[], capacity: number, limits: Limits): Promise<number> {
  const begun = performance.now();
  const totals = new Map<string, number>(counted.map((name) => [name, 0]));
  const out: string[] = [];
  const took: { readonly name: string; readonly seconds: number }[] = [];
  const reporter = new spec();
  reporter.pipe(process.stdout);

  const finish = (unit: Unit, events: readonly Told[], seconds: number): void => {
    took.push({ name: unit.name, seconds });
    for (const event of events) {
      const { name = "", nesting, message, file, skip, counts } = event.data;
      if (event.type === "test:pass" && isLeftOut(skip)) out.push(name);
      if (event.type === "test:summary" && file === undefined) {
        for (const count of counted) totals.set(count, (totals.get(count) ?? 0) + (counts?.[count] ?? 0));
      } else if (event.type !== "test:diagnostic" || nesting !== 0 || !summaryLine.test(message ?? "")) {
        reporter.write(event);
      }
    }
  };

  const waiting = [...units];
  const running = new Set<Promise<void>>();
  let free = capacity;
  while (waiting.length > 0 || running.size > 0) {
    // The first that fits: a heavy one waits for room while light ones use what there is, and goes first when there is.
    const at = waiting.findIndex(({ weight }) => weight <= free || free === capacity);
    if (at < 0) {
      await Promise.race(running);
      continue;
    }
    const [unit] = waiting.splice(at, 1) as [Unit];
    free -= unit.weight;
    const start = performance.now();
    const work = eventsOf(unit, limits).then((events) => {
      free += unit.weight;
      running.delete(work);
      finish(unit, events, (performance.now() - start) / 1000);
    });
    running.add(work);
  }

  const longest = took.toSorted((a, b) => b.seconds - a.seconds).slice(0, 12);
  const lines = [
    `longest: ${longest.map(({ name, seconds }) => `${name} ${seconds.toFixed(0)} s`).join(", ")}`,
    ...(out.length > 0
      ? [`left out, and no test of them ran (HOLDFAST_SUITES=all: all run): ${out.toSorted().join(", ")}`]
      : []),
    ...counted.map((name) => `${shown[name] ?? name} ${totals.get(name)}`),
    `duration_ms ${(performance.now() - begun).toFixed(0)}`,
  ];
  for (const message of lines)
    reporter.write({ type: "test:diagnostic", data: { nesting: 0, message, level: "info" } });
  reporter.end();
  await once(reporter, "end");
  return (totals.get("failed") ?? 0) + (totals.get("cancelled") ?? 0) === 0 && (totals.get("tests") ?? 0) > 0 ? 0 : 1;
}

async function eventsOf({ files, env }: Unit, limits: Limits): Promise<Told[]> {
  const bin = path.join(root, "node_modules/.bin");
  const settings = {
    ...process.env,
    PATH: `${bin}${path.delimiter}${process.env["PATH"] ?? ""}`,
    // Hundreds of processes read the same sources.
    NODE_COMPILE_CACHE: path.join(root, "node_modules/.cache/holdfast-compiled"),
    // What runs side by side holds each other up.
    HOLDFAST_UNIT: process.env["HOLDFAST_UNIT"] ?? "750",
    ...env,
  };
  const events: Told[] = [];
  for (const name of files) {
    const file = path.resolve(root, "tests", name);
    // Ends the process too, which the timeout of a test does not.
    const signal = AbortSignal.timeout(limits.file);
    const options = { files: [file], cwd: root, concurrency: 1, timeout: limits.test, signal, env: settings };
    const told: Told[] = [];
    for await (const event of run(options) as AsyncIterable<Told>) told.push(event);
    events.push(...told);
    if (!told.some((event) => isTest(event, file))) events.push(...nothingRan(name, file));
  }
  return events;
}

/** Whether it is the end of a test, also of one that was skipped. A file counts where it failed by itself. */
function isTest({ type, data }: Told, file: string): boolean {
  return type === "test:fail" || (type === "test:pass" && data.details?.type === "test" && data.name !== file);
}

/** What is told of a file without tests: one that has lost them shall not pass. */
function nothingRan(name: string, file: string): Told[] {
  const error = new Error(`no test ran in ${name}`);
  const details = { type: "test", duration_ms: 0, error };
  const place = { file, line: 1, column: 1 };
  return [
    { type: "test:fail", data: { name, nesting: 0, ...place, details } },
    { type: "test:summary", data: { counts: { failed: 1 } } },
  ];
}
