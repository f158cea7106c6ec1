import type { ChildProcess } from "node:child_process";
import { answer, withChildren } from "../answer.ts";
import { report, timed } from "../measure.ts";
import { isPostgres, POOL } from "./clients.ts";
import type { Start, Work } from "./state-child.ts";

/** More keys than calls in flight: equal reads would be answered together, and writes of one key wait for each other. */
const COUNT = 10_000;
const PAIRS = 5;

const names = ["holdfast", "raw", "keyv"] as const;

/** Operations of a round, by how many are in flight. */
const widths = [
  [1, 300],
  [256, 15_000],
] as const;

const cases = widths.flatMap(([width, operations]) =>
  (["load", "save"] as const).map((does) => ({ does, width, operations })),
);

/**
 * load and save of 1 kB beside a raw pool and Keyv's adapter. Each in a process of its own, as in a service, in pairs one after the
 * other: a pair's ratio is of the same half minute.
 */
export async function state(url: string, scale: number): Promise<void> {
  const seconds = cases.map(() => names.map(() => [] as number[]));
  for (let pair = 0; pair < PAIRS; pair++) await runPair(url, scale, seconds, pair === 0);
  for (const [i, { does, width, operations }] of cases.entries()) {
    const contenders = names.map((name) => ({ name: nameOf(name, url, does) }));
    report(`${does} of 1 kB, ${width} in flight`, contenders, operations * scale, seconds[i] as number[][]);
  }
}

function nameOf(name: (typeof names)[number], url: string, does: string): string {
  if (name === "holdfast") return `holdfast ${does}`;
  if (name === "keyv") return `keyv and @keyv/${isPostgres(url) ? "postgres" : "mysql"}`;
  return `raw pool of ${POOL}, prepared statements`;
}

/** The first one `fills` the tables; all others find the records there. */
async function runPair(url: string, scale: number, seconds: readonly number[][][], fills: boolean): Promise<void> {
  await withChildren("sql/state-child.ts", names, async (children) => {
    for (const { name: client, child } of children) {
      await answer(child, { url, client, count: COUNT, fills } satisfies Start);
    }
    await measure(children, { scale, rounds: 1, seconds });
  });
}

interface Rounds {
  readonly scale: number;
  readonly rounds: number;
  /** Of each case and contender; what was measured is added. */
  readonly seconds: readonly number[][][];
}

/** Has processes do the same in turn, and ends them. */
async function measure(
  children: readonly { readonly name: string; readonly child: ChildProcess }[],
  { scale, rounds, seconds }: Rounds,
): Promise<void> {
  for (const [i, { does, width, operations }] of cases.entries()) {
    const contenders = children.map(({ name, child }) => ({
      name,
      run: async (n: number) => void (await answer(child, { does, width, operations: n } satisfies Work)),
    }));
    const times = await timed(contenders, { operations: operations * scale, rounds });
    for (const [of, list] of times.entries()) seconds[i]?.[of]?.push(...list);
  }
  const end: Work = { does: "load", width: 1, operations: 0 };
  await Promise.all(children.map(async ({ child }) => answer(child, end)));
}

/** The same, ours alone: few rows in one table beside many in another. */
export async function size(url: string, scale: number): Promise<void> {
  const counts = [1_000, Math.max(10_000, 1_000_000 * scale)];
  const tables = counts.map((count) => ({ name: `${count.toLocaleString("en")} rows`, count }));
  const seconds = cases.map(() => counts.map(() => [] as number[]));
  await withChildren(
    "sql/state-child.ts",
    tables.map(({ name }) => name),
    async (children) => {
      for (const [of, { child }] of children.entries()) {
        const own = `${url}?prefix=size${of}_`;
        await answer(child, { url: own, client: "holdfast", count: counts[of] ?? 0, fills: true } satisfies Start);
      }
      await measure(children, { scale, rounds: PAIRS, seconds });
    },
  );
  for (const [i, { does, width, operations }] of cases.entries()) {
    report(`holdfast ${does} of 1 kB, ${width} in flight`, tables, operations * scale, seconds[i] as number[][]);
  }
}
