import { connect } from "holdfast";
import { format } from "../measure.ts";

/** 256 updates of one key at once, again and again: exact, without an error. */
export async function hot(url: string, scale: number): Promise<void> {
  const hf = await connect(url, { service: "bench" });
  const counters = hf.state<{ n: number }>("counters");
  const rounds = Math.max(1, Math.ceil(20 * scale));
  await counters.save("hot", { n: 0 });
  let failed = 0;
  const start = performance.now();
  for (let round = 0; round < rounds; round++) {
    const add = async (): Promise<unknown> => counters.update("hot", ({ n }) => ({ n: n + 1 }));
    const done = await Promise.allSettled(Array.from({ length: 256 }, add));
    failed += done.filter(({ status }) => status === "rejected").length;
  }
  const seconds = (performance.now() - start) / 1_000;
  const found = (await counters.load("hot"))?.n ?? 0;
  const exact = found === rounds * 256 - failed ? "exact" : "NOT EXACT";
  console.log(`\n256 updates of one key at once, ${rounds} times`);
  console.log(`  holdfast update ${format((rounds * 256) / seconds).padStart(8)}/s   ${failed} failed, ${exact}`);
  await hf.close();
}
