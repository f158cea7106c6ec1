import assert from "node:assert/strict";
import { appendFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { each, startEach, type EachEvent, type EachOptions, type Handler } from "../../src/entries/each.ts";
import { isHoldfastError, type Holdfast } from "../../src/entries/index.ts";
import {
  accountsOf,
  book,
  folderFor,
  makeLines,
  memoryFor,
  readLines,
  serial,
  sorted,
  writeLines,
  type Account,
  type Line,
} from "./support.ts";

const books: Handler<Line> = async (line, ctx) => {
  const accounts = ctx.state<Account>("accounts");
  await accounts.save(line.account, book(await accounts.load(line.account), line));
};

interface Bench {
  readonly hf: Holdfast;
  readonly input: string;
  readonly folder: string;
  run(handler: Handler<Line>, options?: EachOptions): ReturnType<typeof each>;
}

async function benchFor(t: TestContext, lines: readonly unknown[], name = "lines.jsonl"): Promise<Bench> {
  const hf = await memoryFor(t);
  const folder = folderFor(t);
  const input = writeLines(path.join(folder, name), lines);
  const run: Bench["run"] = (handler, options) =>
    each<Line>(input, handler, { store: hf, job: "job", key: "account", backoff: 1, ...options });
  return { hf, input, folder, run };
}

test("every item is handled once, and those of a key in their order", async (t) => {
  const lines = makeLines(5_000, 40);
  const { hf, run } = await benchFor(t, lines);
  const summary = await run(books);
  assert.deepEqual(
    { ...summary, durationMs: 0 },
    {
      job: "job",
      outcome: "done",
      done: 5_000,
      dead: 0,
      waiting: 0,
      processed: 5_000,
      conflicts: 0,
      fenced: 0,
      restarts: 0,
      durationMs: 0,
    },
  );
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
  const again = await run(() => assert.fail("nothing is left"));
  assert.equal(again.processed, 0);
  assert.equal(again.done, 5_000);
});

test("different keys go at the same time, items of one key one after the other", async (t) => {
  const lines = makeLines(400, 20);
  const { hf, run } = await benchFor(t, lines);
  const running = new Set<string>();
  let most = 0;
  await run(
    async (line, ctx) => {
      assert.ok(!running.has(line.account), "two of a key at once");
      running.add(line.account);
      most = Math.max(most, running.size);
      const before = await ctx.state<Account>("accounts").load(line.account);
      await sleep(line.id % 3);
      await ctx.state<Account>("accounts").save(line.account, book(before, line));
      running.delete(line.account);
    },
    { concurrency: 8 },
  );
  assert.ok(most > 1 && most <= 8, `${most} at once`);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("items of different keys that change one record do not lose each other's changes", async (t) => {
  const lines = makeLines(600, 50);
  const { hf, run } = await benchFor(t, lines);
  const summary = await run(
    async (line, ctx) => {
      const totals = ctx.state<number>("totals");
      const before = (await totals.load("all")) ?? 0;
      await sleep(0);
      await totals.save("all", before + line.amount);
    },
    { concurrency: 6 },
  );
  assert.equal(summary.outcome, "done");
  assert.ok(summary.conflicts > 0);
  assert.equal(
    await hf.state("totals").load("all"),
    lines.reduce((sum, { amount }) => sum + amount, 0),
  );
});

test("a record that another changes meanwhile is read again by the handler", async (t) => {
  const lines = makeLines(200, 5);
  const { hf, run } = await benchFor(t, lines);
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
  assert.ok(strangers >= 10);
  assert.ok(summary.conflicts > 0);
  let sum = 0;
  for await (const { value } of totals.list()) sum += value;
  assert.equal(sum, strangers * 1_000_000 + lines.reduce((all, { amount }) => all + amount, 0));
});

test("a handler that fails is run again, and what it had written before counts for nothing", async (t) => {
  const lines = makeLines(60, 6);
  const { hf, run } = await benchFor(t, lines);
  const attempts = new Map<number, number[]>();
  const keys = new Map<number, Set<string>>();
  const summary = await run(async (line, ctx) => {
    attempts.set(line.id, [...(attempts.get(line.id) ?? []), ctx.attempt]);
    keys.set(line.id, (keys.get(line.id) ?? new Set()).add(ctx.idempotencyKey));
    await books(line, ctx);
    if (line.id % 7 === 0 && ctx.attempt < 3) throw new Error("not yet");
  });
  assert.equal(summary.outcome, "done");
  assert.deepEqual(attempts.get(7), [1, 2, 3]);
  assert.deepEqual(attempts.get(8), [1]);
  assert.equal(keys.get(7)?.size, 1);
  assert.equal(new Set([...keys.values()].map((set) => [...set][0])).size, 60);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("an item that its handler changed is as it was for the next attempt", async (t) => {
  const { run } = await benchFor(t, [{ id: 1, account: "a", amount: 5 }]);
  const seen: number[] = [];
  await run((line, ctx) => {
    seen.push(line.amount);
    (line as { amount: number }).amount = 0;
    if (ctx.attempt === 1) throw new Error("once more");
  });
  assert.deepEqual(seen, [5, 5]);
});

const failing =
  (ids: ReadonlySet<number>): Handler<Line> =>
  async (line, ctx) => {
    await books(line, ctx);
    if (ids.has(line.id)) throw new Error(`no ${line.id}`);
  };

test("stop-key: later items of a key wait behind its dead letter until it is tried again", async (t) => {
  const lines = makeLines(500, 10);
  const { hf, run, folder } = await benchFor(t, lines);
  const bad = new Set([lines[40]?.id ?? 0, lines[120]?.id ?? 0]);
  const stoppedAt = new Map<string, number>();
  for (const { id, account } of lines) if (bad.has(id) && !stoppedAt.has(account)) stoppedAt.set(account, id);
  const reached = lines.filter(({ id, account }) => id < (stoppedAt.get(account) ?? Infinity));
  const deadLetter = path.join(folder, "dead.jsonl");

  const first = await run(failing(bad), { retries: 1, deadLetter });
  assert.equal(first.outcome, "dead");
  assert.equal(first.dead, stoppedAt.size);
  assert.equal(first.done, reached.length);
  assert.equal(first.waiting, 500 - reached.length - stoppedAt.size);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(reached)));
  const letters = readLines(deadLetter) as { id: number; key: string; attempts: number; error: object; item: Line }[];
  assert.deepEqual(
    letters.map(({ id }) => id).toSorted((a, b) => a - b),
    [...stoppedAt.values()].toSorted((a, b) => a - b),
  );
  for (const { id, key, attempts, error, item } of letters) {
    assert.deepEqual(item, lines[id - 1]);
    assert.equal(key, item.account);
    assert.equal(attempts, 2);
    assert.deepEqual(error, { name: "Error", message: `no ${id}` });
  }

  const same = await run(books);
  assert.deepEqual([same.outcome, same.processed, same.dead], ["dead", 0, first.dead]);

  const mended = await run(books, { retryDead: true, deadLetter });
  assert.deepEqual([mended.outcome, mended.done, mended.dead, mended.waiting], ["done", 500, 0, 0]);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
  assert.deepEqual(readLines(deadLetter), []);
});

test("stop-key: a key that fails again further on stops there", async (t) => {
  const lines = makeLines(300, 3);
  const { hf, run } = await benchFor(t, lines);
  const [one, two] = lines
    .filter(({ account }) => account === "a1")
    .slice(10, 12)
    .map(({ id }) => id) as [number, number];
  await run(failing(new Set([one])), { retries: 0 });
  const second = await run(failing(new Set([two])), { retries: 0, retryDead: true });
  const behind = lines.filter(({ account, id }) => account === "a1" && id > two).length;
  assert.deepEqual([second.dead, second.waiting, second.done], [1, behind, 300 - 1 - behind]);
  const third = await run(failing(new Set([two])), { retries: 0, retryDead: true });
  assert.deepEqual([third.dead, third.waiting], [1, behind]);
  const last = await run(books, { retryDead: true });
  assert.deepEqual([last.outcome, last.done], ["done", 300]);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("continue: later items go on, and the dead letters can be tried again", async (t) => {
  const lines = makeLines(300, 10);
  const { hf, run } = await benchFor(t, lines);
  const bad = new Set(lines.filter(({ id }) => id % 50 === 0).map(({ id }) => id));
  const first = await run(failing(bad), { retries: 0, onDead: "continue" });
  assert.deepEqual([first.outcome, first.done, first.dead, first.waiting], ["dead", 294, 6, 0]);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines.filter(({ id }) => !bad.has(id)))));
  const some = await run(failing(new Set([100])), { retries: 0, onDead: "continue", retryDead: true });
  assert.deepEqual([some.done, some.dead], [299, 1]);
  const last = await run(books, { onDead: "continue", retryDead: true });
  assert.deepEqual([last.outcome, last.done, last.dead], ["done", 300, 0]);
  let balance = 0;
  for (const account of (await accountsOf(hf)).values()) balance += account.balance;
  assert.equal(
    balance,
    lines.reduce((sum, { amount }) => sum + amount, 0),
  );
});

test("records that are no items are dead letters, and stop nobody", async (t) => {
  const { hf, folder } = await benchFor(t, []);
  const input = path.join(folder, "mixed.jsonl");
  writeFileSync(
    input,
    '\uFEFF{"id":1,"account":"a","amount":1}\n\n{"id":2,"account"\n{"id":3,"amount":1}\n[1]\n{"id":5,"account":7,"amount":1}\r\n  \n{"id":6,"account":"a","amount":1}',
  );
  const keys: (string | undefined)[] = [];
  const deadLetter = path.join(folder, "dead.jsonl");
  const summary = await each(input, (_, ctx) => void keys.push(ctx.key), {
    store: hf,
    job: "mixed",
    key: "account",
    deadLetter,
  });
  assert.deepEqual([summary.done, summary.dead, summary.waiting], [3, 3, 0]);
  assert.deepEqual(
    keys.map(String).toSorted((a, b) => a.localeCompare(b)),
    ["7", "a", "a"],
  );
  const letters = readLines(deadLetter) as { id: number; attempts: number; raw?: string; error: { message: string } }[];
  assert.deepEqual(
    letters.toSorted((a, b) => a.id - b.id).map(({ id, attempts, raw, error }) => [id, attempts, raw, error.message]),
    [
      [2, 0, '{"id":2,"account"', "the line is not valid JSON"],
      [3, 0, undefined, 'the item has no key in the field "account"'],
      [4, 0, undefined, 'the item has no key in the field "account"'],
    ],
  );
});

test("CSV: string values under a header; a ragged row is a dead letter", async (t) => {
  const { hf, folder } = await benchFor(t, []);
  const input = path.join(folder, "rows.csv");
  writeFileSync(input, 'id,name\r\n1,"a, ""b"""\r\n2\r\n3,"two\r\nlines"\r\n');
  const items: unknown[] = [];
  const summary = await each(input, (item, ctx) => void items.push([ctx.id, item]), { store: hf });
  assert.deepEqual([summary.done, summary.dead], [2, 1]);
  assert.deepEqual(items, [
    [1, { id: "1", name: 'a, "b"' }],
    [3, { id: "3", name: "two\r\nlines" }],
  ]);
});

test("another input, format or key is refused, and the progress stays", async (t) => {
  const lines = makeLines(50, 5);
  const { hf, run, input, folder } = await benchFor(t, lines);
  await run(books);
  const refused = (pattern: RegExp) => (error: unknown) =>
    isHoldfastError(error, "INVALID_ARGUMENT") && pattern.test(error.message);
  await assert.rejects(run(books, { key: "id" }), refused(/has the key "account"/));
  appendFileSync(input, '{"id":51,"account":"a1","amount":1}\n');
  await assert.rejects(run(books), refused(/another input/));
  writeLines(
    input,
    lines.map((line) => (line.id === 25 ? { ...line, amount: (line.amount + 1) % 10 } : line)),
  );
  await assert.rejects(run(books), refused(/another input/));
  const numbers = writeLines(path.join(folder, "numbers"), [1, 2, 3]);
  await each(numbers, () => undefined, { store: hf, job: "numbers" });
  await assert.rejects(
    each(numbers, () => undefined, { store: hf, job: "numbers", format: "csv" }),
    refused(/reads jsonl, not csv/),
  );
  const twice = path.join(folder, "twice.csv");
  writeFileSync(twice, "a,b,a\n1,2,3\n");
  await assert.rejects(each(twice, books, { store: hf }), refused(/column "a" twice/));
  await assert.rejects(each(path.join(folder, "none.jsonl"), books, { store: hf }), refused(/there is no input file/));
  writeLines(input, lines);
  assert.equal((await run(books)).outcome, "done");
});

test("a run that is stopped finishes what is in hand, and the next one goes on", async (t) => {
  const lines = makeLines(400, 20);
  const { hf, run } = await benchFor(t, lines);
  let ran = 0;
  const stop = new AbortController();
  const slow: Handler<Line> = async (line, ctx) => {
    ran++;
    await sleep(1);
    await books(line, ctx);
    if (line.id === 100) stop.abort();
  };
  const first = await run(slow, { signal: stop.signal, concurrency: 4 });
  assert.equal(first.outcome, "interrupted");
  assert.equal(first.processed, ran, "what was started is committed");
  assert.ok(ran < 400);
  const second = await run(books);
  assert.deepEqual([second.outcome, second.done, second.processed], ["done", 400, 400 - ran]);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("items without a key all go at the same time", async (t) => {
  const lines = makeLines(50, 1);
  const { hf, input } = await benchFor(t, lines);
  let running = 0;
  let most = 0;
  await each(
    input,
    async (_, ctx) => {
      assert.equal(ctx.key, undefined);
      most = Math.max(most, ++running);
      await sleep(2);
      running--;
    },
    { store: hf, concurrency: 50 },
  );
  assert.equal(most, 50);
});

test("two runs at once share the work of a job", async (t) => {
  const lines = makeLines(2_000, 60);
  const { hf, input } = await benchFor(t, lines);
  const slow: Handler<Line> = async (line, ctx) => {
    await sleep(2);
    await books(line, ctx);
  };
  const events: EachEvent[] = [];
  const options = { store: hf, job: "job", key: "account", concurrency: 4, leaseTtl: "2s" } as const;
  const one = startEach(input, slow, options);
  one.on((event) => void events.push(event));
  await new Promise<void>((resolve) => one.on(({ type }) => type === "taken" && resolve()));
  const two = startEach(input, slow, options);
  const summaries = await Promise.all([one.result, two.result]);
  for (const { outcome, done, processed } of summaries) {
    assert.deepEqual([outcome, done], ["done", 2_000]);
    assert.ok(processed > 300, `${processed} items of one run`);
  }
  assert.equal(summaries[0].processed + summaries[1].processed, 2_000);
  assert.ok(
    events.some(({ type }) => type === "given"),
    "the first gave partitions up",
  );
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("a worker that lost its lease commits nothing", async (t) => {
  const lines = makeLines(40, 4);
  const { hf, input } = await benchFor(t, lines);
  let stolen = false;
  const fenced: number[] = [];
  const run = startEach<Line>(
    input,
    async (line, ctx) => {
      await books(line, ctx);
      if (line.id !== 10 || stolen) return;
      stolen = true;
      for (const key of ctx.lease.keys) await hf.lock("holdfast-each job").forceRelease(key, "test");
    },
    { store: hf, job: "job", key: "account", leaseTtl: "1s" },
  );
  run.on((event) => event.type === "fenced" && fenced.push(event.items));
  const summary = await run.result;
  assert.equal(summary.outcome, "done");
  assert.ok(summary.fenced > 0);
  assert.equal(
    fenced.reduce((sum, items) => sum + items, 0),
    summary.fenced,
  );
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("a write that fails makes the item fail, also where nobody waits for it", async (t) => {
  const { hf, run } = await benchFor(t, makeLines(3, 1));
  const summary = await run(
    (line, ctx) => {
      const state = ctx.state("things");
      if (line.id === 2) void state.save("bad", () => 1);
      else void state.save(`good ${line.id}`, line.id);
    },
    { retries: 0, onDead: "continue" },
  );
  assert.deepEqual([summary.done, summary.dead], [2, 1]);
  assert.deepEqual(
    [...(await hf.state("things").loadMany(["bad", "good 1", "good 2", "good 3"])).keys()],
    ["good 1", "good 3"],
  );
});

test("ctx.state: an item sees its own writes, updates, deletes", async (t) => {
  const { hf, run } = await benchFor(t, makeLines(1, 1));
  const things = hf.state("things");
  await things.save("old", { n: 1 });
  await run(async (_, ctx) => {
    const state = ctx.state<{ n: number }>("things");
    const old = await state.load("old");
    if (old) old.n = 99; // a copy of its own
    assert.deepEqual(await state.load("old"), { n: 1 });
    assert.deepEqual(await state.update("old", ({ n }) => ({ n: n + 1 })), { n: 2 });
    assert.equal(await state.update("none", () => assert.fail("there is none")), undefined);
    assert.deepEqual(await state.upsert("new", (current) => ({ n: (current?.n ?? 10) + 1 })), { n: 11 });
    await state.save("gone", { n: 0 });
    assert.equal(await state.delete("gone"), true);
    assert.equal(await state.delete("gone"), false);
    assert.deepEqual([...(await state.loadMany(["old", "new", "gone", "none"])).keys()], ["old", "new"]);
    assert.deepEqual(await things.load("old"), { n: 1 }, "nobody else sees it yet");
  });
  const found: Record<string, unknown> = {};
  for await (const { key, value } of things.list()) found[key] = value;
  assert.deepEqual(found, { old: { n: 2 }, new: { n: 11 } });
});

test("options are checked", async (t) => {
  const { hf, input } = await benchFor(t, []);
  const bad: EachOptions[] = [
    { concurrency: 0 },
    { retries: -1 },
    { backoff: "soon" },
    { onDead: "never" as never },
    { format: "xml" as never },
    { job: "" },
    { job: "x".repeat(201) },
    { partitions: 0 },
    { processes: 2 },
    { store: 5 as never },
  ];
  for (const options of bad) {
    assert.throws(
      () => startEach(input, books, { store: hf, ...options }),
      (error) => isHoldfastError(error, "INVALID_ARGUMENT"),
      JSON.stringify(options),
    );
  }
});

test("an empty input is done", async (t) => {
  const { run } = await benchFor(t, []);
  const summary = await run(books);
  assert.deepEqual([summary.outcome, summary.done], ["done", 0]);
});

test("more records than are kept in memory: each is still one", async (t) => {
  // Every account comes up again when its record was long dropped.
  const lines = Array.from({ length: 24_000 }, (_, i) => ({
    id: i + 1,
    account: `a${(i * 7_919) % 6_007}`,
    amount: i % 1_000,
  }));
  const { hf, run } = await benchFor(t, lines);
  const summary = await run(async (line, ctx) => {
    const accounts = ctx.state<Account>("accounts");
    const before = await accounts.load(line.account);
    if (line.id % 5 === 0) await sleep(0);
    await accounts.save(line.account, book(before, line));
    await ctx.state("log").save(`${line.id}`, line.account);
  });
  assert.equal(summary.done, 24_000);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("a store that promises nothing is worked with, and what is left is said", async (t) => {
  const { input } = await benchFor(t, makeLines(300, 10));
  let handled = 0;
  const summary = await each(input, () => void handled++, { store: "null:", key: "account" });
  assert.equal(handled, 300);
  assert.equal(summary.outcome, "done");
  assert.match(summary.caveat ?? "", /at least once/);
});
