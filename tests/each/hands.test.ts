import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { deferred } from "../../src/base/async.ts";
import type { EachOptions, Handler } from "../../src/entries/each.ts";
import { deadPrefix } from "../../src/each/layout.ts";
import { partitionOfKey } from "../../src/each/partition.ts";
import { benchFor, makeLines, type Bench, type Line } from "./support.ts";

// What a worker that was lost has left in the record of a partition, and what the next one makes of it.

const lines = makeLines(200, 200).map((line) => ({ ...line, account: `a${line.id}` }));

interface Left extends Bench {
  /** The record of a partition. */
  record(partition?: number): Promise<Record<string, unknown>>;
  /** Dead letters: number and attempts. */
  letters(): Promise<[id: number, attempts: number][]>;
}

/** A job of which nothing is done, and whose worker was lost. */
async function leftBy(
  t: TestContext,
  left: Record<string, unknown>,
  options: EachOptions = { partitions: 1 },
  input: readonly Line[] = lines,
): Promise<Left> {
  const bench = await benchFor(t, input);
  await bench.run(() => assert.fail("nothing is started"), { ...options, signal: AbortSignal.abort() });
  const store = bench.hf.state<Record<string, unknown>>("holdfast-each job");
  const counts = { done: 0, dead: 0, waiting: 0 };
  const progress = { next: { id: 1, offset: 0 }, above: [], end: false, counts, round: 0 };
  for (let i = 0; i < (options.partitions ?? 1); i++) await store.save(`partition/${i}`, { ...progress, ...left });
  return {
    ...bench,
    record: async (partition = 0) => (await store.load(`partition/${partition}`)) ?? {},
    async letters() {
      const found: [number, number][] = [];
      for await (const { value } of store.list({ prefix: deadPrefix(0) }))
        found.push([value["id"] as number, value["attempts"] as number]);
      return found;
    },
  };
}

const hold = { by: "another/0#0", who: "elsewhere|1|1" };

/** Notes the attempt of each item, and how many others ran beside it. */
function watching(): { handler: Handler<Line>; attempts: Map<number, number>; beside: Map<number, number> } {
  const running = new Set<number>();
  const attempts = new Map<number, number>();
  const beside = new Map<number, number>();
  const handler: Handler<Line> = async ({ id }, ctx) => {
    attempts.set(id, ctx.attempt);
    running.add(id);
    for (let i = 0; i < 5; i++) {
      await turn();
      for (const other of running) beside.set(other, Math.max(beside.get(other) ?? 0, running.size - 1));
    }
    running.delete(id);
  };
  return { handler, attempts, beside };
}

test("what was in a hand that is known runs alone, as one attempt more; nobody else does", async (t) => {
  const { run, record } = await leftBy(t, { hold: { ...hold, hand: [5, 1, 9, 2] } });
  const { handler, attempts, beside } = watching();
  const summary = await run(handler);
  assert.equal(summary.done, lines.length);
  for (const { id } of lines) assert.equal(attempts.get(id), id === 5 ? 2 : id === 9 ? 3 : 1, `item ${id}`);
  for (const { id } of lines) assert.equal(beside.get(id) === 0, id === 5 || id === 9, `item ${id}`);
  assert.deepEqual(Object.keys(await record()).toSorted(), ["above", "counts", "end", "next", "round"]);
});

test("where nobody knows what was in hand, few items are started together at first, then more", async (t) => {
  const { run, record } = await leftBy(t, { hold });
  const { handler, attempts, beside } = watching();
  const summary = await run(handler);
  assert.equal(summary.done, lines.length);
  const started = [...beside.entries()];
  for (const [i, most] of [2, 2, 4, 4, 4, 4, 8].entries()) assert.ok((started[i]?.[1] ?? 0) < most, `item ${i + 1}`);
  assert.ok(Math.max(...beside.values()) >= 16);
  for (const { id } of lines) assert.equal(attempts.get(id), 2, `item ${id}`);
  assert.deepEqual(Object.keys(await record()).toSorted(), ["above", "counts", "end", "next", "round"]);
});

test("a worker that ran nothing but an item of another partition leaves nothing", async (t) => {
  const { run, hf } = await leftBy(t, { hold });
  await hf.state("holdfast-each job").save("alone/another/0#0", true);
  const { handler, attempts, beside } = watching();
  await run(handler);
  assert.deepEqual(new Set(attempts.values()), new Set([1]));
  assert.ok(Math.max(...beside.values()) > 8);
});

for (const [lost, dies] of [
  [1, false],
  [2, true],
] as const) {
  test(`lost ${lost === 1 ? "once" : "twice"} while it ran alone, with one retry, an item ${dies ? "is a dead letter" : "runs once more"}`, async (t) => {
    const suspects = [{ id: 5, attempts: 3, alone: lost - 1, why: "before" }];
    const { run } = await leftBy(t, { suspects, hold: { ...hold, hand: [5, 4], alone: true } });
    const { handler, attempts } = watching();
    const summary = await run(handler, { retries: 1 });
    assert.deepEqual([summary.done, summary.dead], dies ? [lines.length - 1, 1] : [lines.length, 0]);
    assert.equal(attempts.get(5), dies ? undefined : 5);
    assert.equal(attempts.get(6), 1);
  });
}

test("an item that no handler gets is in no hand: a worker that is lost then does not count as an attempt", async (t) => {
  const suspects = [{ id: 5, attempts: 4, alone: 2, why: "before" }];
  const { run, record, letters } = await leftBy(t, { lost: 1, suspects, hold: { ...hold, hand: [] } });
  let hand: readonly number[] = [];
  const summary = await run(async ({ id }) => {
    if (id === 6) ({ hand = [] } = (await record())["hold"] as { hand?: number[] });
  });
  assert.deepEqual([summary.done, summary.dead], [lines.length - 1, 1]);
  assert.ok(hand.includes(6), "items 3 to 6 are a hand");
  assert.ok(!hand.filter((_, i) => i % 2 === 0).includes(5));
  assert.deepEqual(await letters(), [[5, 4]]);
});

test("a record that is no item has no attempts, whatever was lost before", async (t) => {
  const broken = lines.map((line) => (line.id === 3 ? { ...line, account: "" } : line));
  const { run, letters } = await leftBy(t, { hold }, { partitions: 1 }, broken);
  const { handler, attempts } = watching();
  const summary = await run(handler);
  assert.deepEqual([summary.done, summary.dead], [lines.length - 1, 1]);
  assert.equal(attempts.get(4), 2);
  assert.deepEqual(await letters(), [[3, 0]]);
});

test("a handler that does not settle keeps a suspect waiting, and nobody else", { timeout: 20_000 }, async (t) => {
  const of = (partition: number): number[] =>
    lines.filter(({ account }) => partitionOfKey(account, 2) === partition).map(({ id }) => id);
  const [stuck, suspect] = [of(0)[0], of(1)[0]] as [number, number];
  const options: EachOptions = { partitions: 2, leaseTtl: 300 };
  const { run, hf } = await leftBy(t, {}, options);
  const store = hf.state<object>("holdfast-each job");
  await store.update("partition/1", (progress) => ({ ...progress, hold: { ...hold, hand: [suspect, 1] } }));
  const [released, others] = [deferred<void>(), deferred<void>()];
  const handled: number[] = [];
  const summary = run(async ({ id }) => {
    if (id === stuck) await released.promise;
    handled.push(id);
    if (handled.length === lines.length - 2) others.resolve();
  }, options);
  await others.promise;
  assert.ok(!handled.includes(stuck) && !handled.includes(suspect));
  released.resolve();
  assert.equal((await summary).done, lines.length);
});
