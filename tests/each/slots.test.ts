import assert from "node:assert/strict";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { memory } from "../../src/entries/memory.ts";
import { each, startEach, type EachEvent, type EachOptions, type Handler } from "../../src/entries/each.ts";
import { connect, type Holdfast } from "../../src/entries/index.ts";
import { misbehavingBackend, type Fault } from "../../src/entries/testing.ts";
import { slottedBackend } from "../support/slots.ts";
import {
  accountsOf,
  away,
  book,
  folderFor,
  makeLines,
  readLines,
  serial,
  sorted,
  writeLines,
  type Account,
  type Line,
} from "./support.ts";

// A store that keeps records in several places: an item commits with a mark beside its records, and its progress follows.

const lines = makeLines(600, 30);

const books: Handler<Line> = async (line, ctx) => {
  const accounts = ctx.state<Account>("accounts");
  const seen = ctx.state<number>("seen");
  const key = `${line.id}{${line.account}}`;
  await accounts.save(line.account, book(await accounts.load(line.account), line));
  await seen.save(key, ((await seen.load(key)) ?? 0) + 1);
  await sleep(0);
};

interface Bench {
  readonly hf: Holdfast;
  readonly folder: string;
  run(handler: Handler<Line>, options?: EachOptions): ReturnType<typeof each>;
  /** Nothing was lost, doubled or reordered, and no mark is left. */
  check(handled?: readonly Line[]): Promise<void>;
}

async function benchFor(t: TestContext, fault: Fault = { name: "none" }, input = lines): Promise<Bench> {
  const backend = misbehavingBackend(slottedBackend(memory()), fault);
  const hf = await connect(backend, { timeout: "300ms" });
  t.after(() => hf.close());
  const folder = folderFor(t);
  const file = writeLines(path.join(folder, "lines.jsonl"), input);
  return {
    hf,
    folder,
    run: (handler, options) =>
      each<Line>(file, handler, { store: hf, job: "job", key: "account", backoff: 1, leaseTtl: "2s", ...options }),
    async check(handled = input) {
      assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(handled)));
      const counts: number[] = [];
      for await (const { value } of hf.state<number>("seen").list()) counts.push(value);
      assert.deepEqual(
        counts,
        handled.map(() => 1),
      );
      for await (const { key } of hf.state("holdfast-each-done job").list()) assert.fail(`a mark is left of ${key}`);
    },
  };
}

test("every item takes effect once, and those of a key in their order", async (t) => {
  const { run, check } = await benchFor(t);
  const summary = await run(books);
  assert.deepEqual([summary.outcome, summary.done, summary.caveat], ["done", 600, undefined]);
  await check();
});

test("what a crash leaves between the writes of items and their progress is not done again", async (t) => {
  // The store goes away with the first commit of a progress, just after the items that it is about have committed. Before that
  // both partitions were claimed.
  let progresses = 0;
  let refusing = true;
  const { hf, run, check } = await benchFor(t, {
    name: "refuses progress",
    async group(group, next) {
      const isProgress = group.guards !== undefined && group.ops.some(({ op }) => op === "set");
      if (isProgress) progresses++;
      if (!refusing || progresses <= 2) return next(group);
      return away;
    },
  });
  await assert.rejects(run(books, { storeTimeout: "300ms", partitions: 2 }), { code: "UNAVAILABLE" });
  const before = await accountsOf(hf);
  assert.ok(before.size > 0, "items have committed without their progress");
  refusing = false;
  let ran = 0;
  const summary = await run((line, ctx) => {
    ran++;
    return books(line, ctx);
  });
  const already = [...before.values()].reduce((sum, { items }) => sum + items, 0);
  assert.deepEqual([summary.outcome, summary.done], ["done", 600]);
  assert.equal(ran, 600 - already, "no handler runs again for what had committed");
  await check();
});

for (const [name, applied] of [
  ["before", false],
  ["after", true],
] as const) {
  test(`a reply that is lost ${name} the write took effect loses and doubles nothing`, async (t) => {
    let writes = 0;
    const { run, check } = await benchFor(t, {
      name: "loses replies",
      async group(group, next) {
        if (!group.ops.some(({ op }) => op === "set") || ++writes % 37 < 35) return next(group);
        if (applied) await next(group);
        return { ok: false, why: "failed", sent: true, error: new Error("lost") };
      },
    });
    const summary = await run(books, { concurrency: 4 });
    assert.ok(writes > 100, `${writes} commits`);
    assert.deepEqual([summary.outcome, summary.done, summary.dead], ["done", 600, 0]);
    await check();
  });
}

test("records that others change meanwhile are read again by the handler", async (t) => {
  const { hf, run } = await benchFor(t);
  const totals = hf.state<number>("totals");
  let strangers = 0;
  const summary = await run(async (line, ctx) => {
    const before = (await ctx.state<number>("totals").load(line.account)) ?? 0;
    if (line.id % 20 === 0 && strangers < line.id / 20) {
      strangers++;
      await totals.upsert(line.account, (current) => (current ?? 0) + 1_000_000);
    }
    await ctx.state<number>("totals").save(line.account, before + line.amount);
  });
  assert.ok(strangers >= 10 && summary.conflicts > 0);
  let sum = 0;
  for await (const { value } of totals.list()) sum += value;
  assert.equal(sum, strangers * 1_000_000 + lines.reduce((all, { amount }) => all + amount, 0));
});

test("dead letters are recorded, stop their key, and are retried", async (t) => {
  const { folder, run, check } = await benchFor(t);
  const bad = new Set([25, 26, 300]);
  const failing: Handler<Line> = async (line, ctx) => {
    await books(line, ctx);
    if (bad.has(line.id)) throw new Error("bad");
  };
  const deadLetter = path.join(folder, "dead.jsonl");
  const first = await run(failing, { retries: 1, deadLetter });
  assert.equal(first.outcome, "dead");
  assert.ok(first.dead > 0 && first.waiting > 0);
  assert.equal(readLines(deadLetter).length, first.dead);
  const second = await run(books, { retryDead: true });
  assert.deepEqual([second.outcome, second.done, second.dead, second.waiting], ["done", 600, 0, 0]);
  await check();
});

test("dead letters that did not stop their key are retried once", async (t) => {
  const { hf, run } = await benchFor(t);
  const count: Handler<Line> = async (line, ctx) => {
    const seen = ctx.state<number>("seen");
    const key = `${line.id}{${line.account}}`;
    await seen.save(key, ((await seen.load(key)) ?? 0) + 1);
  };
  const failing: Handler<Line> = async (line, ctx) => {
    if (line.id % 50 === 0) throw new Error("bad");
    await count(line, ctx);
  };
  const first = await run(failing, { retries: 0, onDead: "continue" });
  assert.deepEqual([first.done, first.dead], [588, 12]);
  const second = await run(count, { retryDead: true, onDead: "continue" });
  assert.deepEqual([second.outcome, second.done, second.dead], ["done", 600, 0]);
  const counts: number[] = [];
  for await (const { value } of hf.state<number>("seen").list()) counts.push(value);
  assert.deepEqual(
    counts,
    lines.map(() => 1),
  );
});

test("a record of another tag is refused before anything is written", async (t) => {
  const { hf, run } = await benchFor(t);
  const summary = await run(
    async (line, ctx) => {
      await ctx.state<Account>("accounts").save(line.account, book(undefined, line));
      await ctx.state<number>("totals").save("all", 1);
    },
    { onDead: "continue", retries: 5 },
  );
  assert.deepEqual([summary.outcome, summary.dead], ["dead", 600]);
  assert.equal((await accountsOf(hf)).size, 0);
});

test("items without a key are handled at least once, and the summary says so", async (t) => {
  const { hf, folder } = await benchFor(t);
  const input = writeLines(path.join(folder, "lines.jsonl"), lines);
  const summary = await each<Line>(input, async (line, ctx) => ctx.state<number>("seen").save(String(line.id), 1), {
    store: hf,
    job: "keyless",
  });
  assert.equal(summary.outcome, "done");
  assert.match(summary.caveat ?? "", /at least once.*With a key field/s);
});

test("a run that is stopped and started again goes on", async (t) => {
  const { hf, folder, check } = await benchFor(t);
  const input = writeLines(path.join(folder, "lines.jsonl"), lines);
  const options = { store: hf, job: "job", key: "account", backoff: 1 } as const;
  for (let stops = 0; stops < 4; stops++) {
    let handled = 0;
    const run = startEach<Line>(
      input,
      async (line, ctx) => {
        if (++handled === 100) run.stop();
        await books(line, ctx);
      },
      options,
    );
    const events: EachEvent[] = [];
    run.on((event) => void events.push(event));
    assert.equal((await run.result).outcome, "interrupted");
  }
  assert.equal((await each<Line>(input, books, options)).outcome, "done");
  await check();
});
