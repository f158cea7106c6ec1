import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { each, type Handler } from "../../src/entries/each.ts";
import { connect, type Holdfast } from "../../src/entries/index.ts";
import type { Fault } from "../../src/entries/testing.ts";
import {
  accountsOf,
  away,
  benchFor,
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

// Dead letters, and what waits behind them: nothing is lost, and nothing is done twice.

const books: Handler<Line> = async (line, ctx) => {
  await ctx.state<Account>("accounts").upsert(line.account, (account) => book(account, line));
};

/** Books what it can, and counts how often each item took effect. */
const counting =
  (bad: ReadonlySet<number>): Handler<Line> =>
  async (line, ctx) => {
    await ctx.state<number>("times").upsert(`${line.id}`, (times) => (times ?? 0) + 1);
    if (bad.has(line.id)) throw new Error(`no ${line.id}`);
  };

async function assertOnceEach(hf: Holdfast, lines: readonly Line[]): Promise<void> {
  const times = new Map<string, number>();
  for await (const { key, value } of hf.state<number>("times").list()) times.set(key, value);
  assert.deepEqual(sorted(times), sorted(new Map(lines.map(({ id }) => [`${id}`, 1]))));
}

/** The store refuses dead letters until the bad item has run for the second time. */
function refusing(): { fault: Fault; failing(bad: number, message: string): Handler<Line>; runs(): number } {
  let runs = 2;
  const fault: Fault = {
    name: "refuses a dead letter",
    async group(group, next) {
      const writes = group.ops.some((op) => op.op === "set" && op.key.key.includes("dead/"));
      if (writes && runs < 2) return away;
      return next(group);
    },
  };
  const failing = (bad: number, message: string): Handler<Line> => {
    runs = 0;
    return async (line, ctx) => {
      await books(line, ctx);
      if (line.id !== bad) return;
      runs++;
      throw new Error(message);
    };
  };
  return { fault, failing, runs: () => runs };
}

const lines = makeLines(300, 3);
const [one, two] = lines
  .filter(({ account }) => account === "a1")
  .slice(10, 12)
  .map(({ id }) => id) as [number, number];
const behind = (id: number): number => lines.filter((line) => line.account === "a1" && line.id > id).length;

test("an item whose dead letter could not be stored is handled again, and is a dead letter then", async (t) => {
  const { fault, failing, runs } = refusing();
  const { hf, run } = await benchFor(t, lines, fault);
  const first = await run(failing(one, "no"));
  assert.equal(runs(), 2);
  assert.deepEqual([first.outcome, first.dead, first.waiting], ["dead", 1, behind(one)]);
  const mended = await run(books, { retryDead: true });
  assert.deepEqual([mended.outcome, mended.done, mended.waiting], ["done", 300, 0]);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("so it is in a round of retries, with what was handled before it", async (t) => {
  const { fault, failing, runs } = refusing();
  const { hf, run, folder } = await benchFor(t, lines, fault);
  await run(failing(one, "no"));
  const deadLetter = path.join(folder, "dead.jsonl");
  const second = await run(failing(two, "nor this"), { retryDead: true, deadLetter });
  assert.equal(runs(), 2);
  assert.deepEqual([second.outcome, second.dead, second.waiting], ["dead", 1, behind(two)]);
  assert.deepEqual(
    (readLines(deadLetter) as { id: number; error: Error }[]).map(({ id, error }) => [id, error.message]),
    [[two, "nor this"]],
  );
  const mended = await run(books, { retryDead: true });
  assert.deepEqual([mended.outcome, mended.done, mended.waiting], ["done", 300, 0]);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("a dead letter that stopped no key stops none when it fails again: later items are done already", async (t) => {
  const { hf, run } = await benchFor(t, lines);
  const first = await run(counting(new Set([one])), { onDead: "continue" });
  assert.deepEqual([first.done, first.dead, first.waiting], [299, 1, 0]);
  const second = await run(counting(new Set([one])), { retryDead: true });
  assert.deepEqual([second.done, second.dead, second.waiting], [299, 1, 0]);
  const third = await run(counting(new Set()), { retryDead: true });
  assert.deepEqual([third.outcome, third.done, third.dead, third.waiting], ["done", 300, 0, 0]);
  await assertOnceEach(hf, lines);
});

test("a key that stops after 2,000 others stops at once", async (t) => {
  const bad = Array.from({ length: 2_000 }, (_, i) => ({ id: i + 1, account: `s${i}`, amount: 0 }));
  const last = [2_001, 2_002].map((id) => ({ id, account: "last", amount: 0 }));
  const { hf, run } = await benchFor(t, [...bad, ...last]);
  const options = { partitions: 1 };
  // At once, so that the items fail in their order.
  const failing: Handler<Line> = (line, ctx) => {
    if (line.id <= 2_001) throw new Error("no");
    return counting(new Set())(line, ctx);
  };
  const first = await run(failing, options);
  assert.deepEqual([first.done, first.dead, first.waiting], [0, 2_001, 1]);
  const mended = await run(counting(new Set()), { ...options, retryDead: true });
  assert.deepEqual([mended.outcome, mended.done, mended.waiting], ["done", 2_002, 0]);
  await assertOnceEach(hf, [...bad, ...last]);
});

test("an earlier dead letter of a stopped key does not move it back, whenever the round ends", async (t) => {
  const { hf, run } = await benchFor(t, lines);
  const late = lines.filter(({ account }) => account === "a1").at(-2)?.id ?? 0;
  const stop = new AbortController();
  const first = await run(
    async (line, ctx) => {
      await turn();
      if (line.id === one) stop.abort();
      await counting(new Set([one]))(line, ctx);
    },
    { onDead: "continue", signal: stop.signal, concurrency: 1 },
  );
  assert.deepEqual([first.outcome, first.dead, first.waiting], ["interrupted", 1, 0]);
  const second = await run(counting(new Set([late])));
  assert.deepEqual([second.outcome, second.dead, second.waiting], ["dead", 2, 1]);
  const again = new AbortController();
  const third = await run(
    (line, ctx) => {
      if (line.id === late) again.abort();
      return counting(new Set([late]))(line, ctx);
    },
    { retryDead: true, signal: again.signal, retries: 1, backoff: "1h" },
  );
  assert.deepEqual([third.outcome, third.dead, third.waiting], ["interrupted", 1, 1]);
  const last = await run(counting(new Set()), { retryDead: true });
  assert.deepEqual([last.outcome, last.done, last.dead, last.waiting], ["done", 300, 0, 0]);
  await assertOnceEach(hf, lines);
});

test("more stopped keys than a group has room for are all let go when their round is through", async (t) => {
  const many = Array.from({ length: 300 }, (_, i) => ({ id: i + 1, account: `s${i}`, amount: i }));
  const folder = folderFor(t);
  const hf = await connect(`file:${path.join(folder, "store")}`);
  t.after(() => hf.close());
  const input = writeLines(path.join(folder, "lines.jsonl"), many);
  const options = { store: hf, job: "job", key: "account", retries: 0, partitions: 1 } as const;
  const first = await each<Line>(input, counting(new Set(many.map(({ id }) => id))), options);
  assert.deepEqual([first.done, first.dead], [0, 300]);
  const mended = await each<Line>(input, counting(new Set()), { ...options, retryDead: true });
  assert.deepEqual([mended.outcome, mended.done], ["done", 300]);
  await assertOnceEach(hf, many);
});

test("a key that no dead letter could hold makes one itself, and stops nobody", async (t) => {
  const long = { id: 301, account: "k".repeat(16 * 1024 * 1024 - 100), amount: 1 };
  const { hf, run, folder } = await benchFor(t, [...lines, long]);
  const deadLetter = path.join(folder, "dead.jsonl");
  const { outcome, done, dead, waiting } = await run(books, { deadLetter });
  assert.deepEqual([outcome, done, dead, waiting], ["dead", 300, 1, 0]);
  const [letter] = readLines(deadLetter) as { id: number; error: Error }[];
  assert.deepEqual([letter?.id, letter?.error.name], [301, "InputError"]);
  assert.match(letter?.error.message ?? "", /has 16777116 characters, and may have 65536/);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("whatever a handler throws or gives, the item fails by it and no other", async (t) => {
  const { run, folder } = await benchFor(t, lines);
  const deadLetter = path.join(folder, "dead.jsonl");
  const odd = new Error("no");
  Object.defineProperty(odd, "message", { value: { toString: () => "an object" } });
  const bad = new Map<number, () => unknown>([
    [1, () => Promise.reject(odd)],
    [2, () => Promise.reject(Object.create(null) as Error)],
    [3, () => new Proxy({}, { get: () => assert.fail("no then") })],
    [4, () => new Proxy({}, { get: () => () => assert.fail("then failed") })],
  ]);
  const summary = await run((line) => bad.get(line.id)?.(), { onDead: "continue", deadLetter });
  assert.deepEqual([summary.done, summary.dead], [lines.length - bad.size, bad.size]);
  const letters = readLines(deadLetter) as { id: number; error: Error }[];
  assert.deepEqual(sorted(new Map(letters.map(({ id, error }) => [`${id}`, error.message]))), [
    ["1", "an object"],
    ["2", "something was thrown that has no text"],
    ["3", "no then"],
    ["4", "then failed"],
  ]);
});
