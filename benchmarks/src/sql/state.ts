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
  [1, 1_000],
  [256, 30_000],
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
  for (let pair = 0; pair < PAIRS; pair++) await runPair(url, scale, seconds);
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

async function runPair(url: string, scale: number, seconds: readonly number[][][]): Promise<void> {
  await withChildren("sql/state-child.ts", names, async (children) => {
    for (const { name: client, child } of children) await answer(child, { url, client, count: COUNT } satisfies Start);
    for (const [i, { does, width, operations }] of cases.entries()) {
      const contenders = children.map(({ name, child }) => ({
        name,
        run: async (n: number) => void (await answer(child, { does, width, operations: n } satisfies Work)),
      }));
      const times = await timed(contenders, { operations: operations * scale, rounds: 1 });
      for (const [of, list] of times.entries()) seconds[i]?.[of]?.push(...list);
    }
    const end: Work = { does: "load", width: 1, operations: 0 };
    await Promise.all(children.map(async ({ child }) => answer(child, end)));
  });
}

/** The same, ours alone, on few and on many rows. */
export async function size(url: string, scale: number): Promise<void> {
  const counts = [1_000, Math.max(10_000, 1_000_000 * scale)];
  const seconds = cases.map(() => counts.map(() => [] as number[]));
  for (const [of, count] of counts.entries()) {
    await withChildren("sql/state-child.ts", ["holdfast"] as const, async ([only]) => {
      const { child } = only as NonNullable<typeof only>;
      await answer(child, { url, client: "holdfast", count } satisfies Start);
      for (const [i, { does, width, operations }] of cases.entries()) {
        const run = async (n: number): Promise<void> =>
          void (await answer(child, { does, width, operations: n } satisfies Work));
        const [times = []] = await timed([{ name: "", run }], { operations: operations * scale, rounds: PAIRS });
        seconds[i]?.[of]?.push(...times);
      }
    });
  }
  for (const [i, { does, width, operations }] of cases.entries()) {
    const contenders = counts.map((count) => ({ name: `${count.toLocaleString("en")} rows` }));
    report(`holdfast ${does} of 1 kB, ${width} in flight`, contenders, operations * scale, seconds[i] as number[][]);
  }
}
