import { connect } from "holdfast";
import { answer, withChildren } from "../answer.ts";
import { format } from "../measure.ts";
import type { Start, Told, Work } from "./child.ts";
import { figuresOf, line, median } from "./figures.ts";

const COUNT = 3_000;
const PROCESSES = Array.from({ length: 8 }, (_, i) => `process ${i + 1}`);
const EACH = 1_000;

/** Upserts of one key beside upserts of as many keys, all at once; then 8 processes on one key. */
export async function hot(store: string, url: string, rounds: number): Promise<void> {
  console.log(`\n${store}: ${COUNT} upserts at once, of one key and of different keys`);
  const hf = await connect(url, { service: "bench" });
  const counters = hf.state<number>("counters");
  const rates = { one: [] as number[], many: [] as number[], ratio: [] as number[] };
  let failed = 0;
  for (let round = 0; round <= rounds; round++) {
    const perSecond = async (keyOf: (i: number) => string): Promise<number> => {
      const began = performance.now();
      const calls = Array.from({ length: COUNT }, async (_, i) => counters.upsert(keyOf(i), (n) => (n ?? 0) + 1));
      const done = await Promise.allSettled(calls);
      failed += done.filter(({ status }) => status === "rejected").length;
      return COUNT / ((performance.now() - began) / 1_000);
    };
    const many = await perSecond((i) => `cold-${i}`);
    const one = await perSecond(() => "hot");
    if (round === 0) continue; // warms up
    rates.one.push(one);
    rates.many.push(many);
    rates.ratio.push(one / many);
  }
  const ratios = rates.ratio.map((ratio) => ratio.toFixed(2)).join(", ");
  console.log(
    `  one key ${format(median(rates.one))}/s, different keys ${format(median(rates.many))}/s: ` +
      `${median(rates.ratio).toFixed(2)}x (${ratios}); ${failed} failed`,
  );
  console.log(`${store}: 8 processes, ${EACH} upserts of one key at once in each`);
  const before = (await counters.load("hot")) ?? 0;
  await withChildren("contention/child.ts", PROCESSES, async (children) => {
    await Promise.all(children.map(async ({ child }) => answer(child, { url, who: "holdfast" } satisfies Start)));
    for (let round = 0; round < 2; round++) {
      const told = await Promise.all(
        children.map(async ({ child }) => answer(child, { does: "upserts", count: EACH } satisfies Work)),
      );
      const took = told.map((one) => (one as Told).tookMs);
      console.log(line(round === 0 ? "first time" : "again", figuresOf(told as Told[])));
      console.log(
        `    the first process had done after ${Math.min(...took).toFixed(0)} ms, the last after ${Math.max(...took).toFixed(0)} ms`,
      );
    }
    await Promise.all(children.map(async ({ child }) => answer(child, { does: "end" } satisfies Work)));
  });
  console.log(
    `    the counter tells ${((await counters.load("hot")) ?? 0) - before} of ${2 * PROCESSES.length * EACH}`,
  );
  await hf.close();
}
