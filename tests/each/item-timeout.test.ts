import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { deferred } from "../../src/base/async.ts";
import { isHoldfastError } from "../../src/entries/index.ts";
import { benchFor, makeLines, readLines, sorted } from "./support.ts";

// Handlers that do not settle in time.

const lines = makeLines(60, 6);
const bad = 20;
const others = lines.filter(({ id }) => id !== bad);

test("an item whose handler never settles fails, and holds nobody back", async (t) => {
  const { run, folder } = await benchFor(t, lines);
  const deadLetter = path.join(folder, "dead.jsonl");
  const attempts: number[] = [];
  const reasons: unknown[] = [];
  const summary = await run(
    (line, ctx) => {
      if (line.id !== bad) return undefined;
      attempts.push(ctx.attempt);
      ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
      return new Promise(() => undefined);
    },
    { itemTimeout: 20, retries: 2, backoff: 1, onDead: "continue", concurrency: 1, deadLetter },
  );
  assert.deepEqual([summary.outcome, summary.done, summary.dead], ["dead", others.length, 1]);
  assert.deepEqual(attempts, [1, 2, 3]);
  assert.deepEqual(
    reasons.map((reason) => (reason as Error).name),
    ["ItemTimeoutError", "ItemTimeoutError", "ItemTimeoutError"],
  );
  const [letter] = readLines(deadLetter) as { id: number; error: object; attempts: number }[];
  assert.deepEqual([letter?.id, letter?.attempts], [bad, 3]);
  assert.deepEqual(letter?.error, { name: "ItemTimeoutError", message: "the handler had not settled after 0.02 s" });
});

test("what a handler writes before and after its time is over is void, whatever it goes on to do", async (t) => {
  const { hf, run } = await benchFor(t, lines);
  const late = deferred<unknown>();
  const summary = await run(
    async (line, ctx) => {
      const times = ctx.state<number>("times");
      await times.upsert(`${line.id}`, (n) => (n ?? 0) + 1);
      if (line.id !== bad || ctx.attempt > 1) return;
      await times.save("ghost", 1);
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      late.resolve(await times.save("late", 1).catch((error: unknown) => error));
    },
    // More tries than one: on a busy machine any item may take too long.
    { itemTimeout: 100, retries: 20, backoff: 1 },
  );
  assert.deepEqual([summary.outcome, summary.done], ["done", lines.length]);
  const refused = await late.promise;
  assert.ok(isHoldfastError(refused, "UNSUPPORTED"));
  assert.match(refused.message, /time is over/);
  const times = new Map<string, number>();
  for await (const { key, value } of hf.state<number>("times").list()) times.set(key, value);
  assert.deepEqual(sorted(times), sorted(new Map(lines.map(({ id }) => [`${id}`, 1]))));
});

test("a signal that is asked for when the time is over is aborted already", async (t) => {
  const { run } = await benchFor(t, lines);
  const over = deferred<void>();
  const seen = deferred<boolean>();
  await run(
    async (line, ctx) => {
      if (line.id !== bad) return;
      if (ctx.attempt > 1) return over.resolve();
      await over.promise;
      seen.resolve(ctx.signal.aborted);
    },
    { itemTimeout: 20, retries: 1, backoff: 1 },
  );
  assert.equal(await seen.promise, true);
});

test("a handler that settles in time is told of nothing", async (t) => {
  const { run } = await benchFor(t, lines);
  const signals: AbortSignal[] = [];
  const summary = await run((_line, ctx) => void signals.push(ctx.signal), { itemTimeout: "1h" });
  assert.deepEqual([summary.outcome, signals.length], ["done", lines.length]);
  assert.ok(signals.every(({ aborted }) => !aborted));
});
