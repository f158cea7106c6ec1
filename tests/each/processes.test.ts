import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { connect } from "../../src/entries/index.ts";
import { workApart } from "../../src/each/crew.ts";
import { openInput } from "../../src/each/input/open.ts";
import { openJob, type Job } from "../../src/each/job.ts";
import { jobStoreName } from "../../src/each/layout.ts";
import { resolveEachOptions } from "../../src/each/options.ts";
import { planOf } from "../../src/each/plan.ts";
import { sumStats, type Crew } from "../../src/each/report.ts";
import type { EachEvent } from "../../src/each/types.ts";
import { until } from "./running.ts";
import { folderFor, makeLines, writeLines } from "./support.ts";

function processed(crew: Crew): number {
  return sumStats(crew.reports().map(({ stats }) => stats)).processed;
}

test("what a process had done that has ended counts once, also before another one has taken its place", async (t) => {
  const folder = folderFor(t);
  const lines = makeLines(50, 50);
  const input = writeLines(path.join(folder, "lines.jsonl"), lines);
  const may = path.join(folder, "may-end");
  const handler = path.join(folder, "handler.mjs");
  writeFileSync(
    handler,
    `import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
export default async (line, ctx) => {
  if (line.id !== 50 || ctx.attempt > 1) return;
  while (!existsSync(${JSON.stringify(may)})) await sleep(10);
  process.exit(7);
};
`,
  );
  const store = `file:${path.join(folder, "store")}`;
  const settings = resolveEachOptions(input, handler, { store, processes: 1, partitions: 1, retries: 1 });
  const { source, opening, close } = await openInput(settings.input, settings.reading, undefined);
  t.after(close);
  const hf = await connect(store);
  const made: Job = { input: source.fingerprint, format: "jsonl", key: null, partitions: 1, round: 0 };
  const plan = await planOf(
    hf,
    "job",
    await openJob(hf.state(jobStoreName("job")), "job", made, false),
    source,
    opening,
  );
  const pids: number[] = [];
  const before: number[] = [];
  const after: number[] = [];
  const onEvent = (event: EachEvent): void => {
    if (event.type === "started") pids.push(event.pid);
    if (event.type !== "exited" || event.how === "finished") return;
    before.push(processed(crew));
    // Once its end was taken note of, which starts the wait for another process.
    queueMicrotask(() => {
      assert.equal(pids.length, 1);
      after.push(processed(crew));
    });
  };
  const crew = await workApart(hf, plan, settings, onEvent);
  t.after(() => crew.kill());
  await until(() => processed(crew) > 0);
  assert.ok(!existsSync(may));
  writeFileSync(may, "");
  assert.equal(await crew.ended, "done");
  assert.equal(before.length, 1);
  assert.ok((before[0] as number) > 0);
  assert.deepEqual(after, before);
  assert.equal(processed(crew), lines.length);
  assert.equal(crew.restarts, 1);
});
