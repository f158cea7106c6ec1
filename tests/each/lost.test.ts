import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { reachBackends } from "../../scripts/lib/backends.ts";
import { each, type EachSummary, type ExportedDeadLetter } from "../../src/entries/each.ts";
import { connect } from "../../src/entries/index.ts";
import { Machines, noMachines } from "../support/machines.ts";
import { sharedServer } from "../support/sql/shared.ts";
import { startRedis } from "../support/redis/server.ts";
import { shared } from "../support/redis/shared.ts";
import { isRunning } from "../support/is-running.ts";
import { readIfThere, start, treeOf, until } from "./running.ts";
import { accountsOf, folderFor, makeLines, memoryFor, readLines, serial, sorted, writeLines } from "./support.ts";

// An item that costs its worker: it becomes a dead letter that names the cause, and everybody else's goes on.

const books = `
  const accounts = ctx.state("accounts");
  const account = (await accounts.load(ctx.key)) ?? { balance: 0, items: 0, chain: 7 };
  await accounts.save(ctx.key, { balance: account.balance + line.amount, items: account.items + 1, chain: (account.chain * 31 + line.id) % 1000003 });`;

const lines = makeLines(400, 40);
const bad = 150;
const others = lines.filter(({ id }) => id !== bad);

/** Code that blocks its process for so many ms, or for ever, and leaves the processor to the others. */
const block = (ms = Infinity): string => `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${ms});`;

interface Outcome {
  readonly code: number | null;
  readonly err: string;
  readonly summary: EachSummary;
  readonly letters: readonly ExportedDeadLetter[];
  /** Attempts of the bad item, as its handler was told. */
  readonly attempts: readonly number[];
}

/** Runs a job in which one item does something bad, and checks that all others took effect once. */
async function runBad(
  t: TestContext,
  store: string,
  what: string,
  args: readonly string[] = [],
  machines: readonly (readonly string[])[] = [[]],
): Promise<Outcome> {
  const folder = folderFor(t);
  const input = writeLines(path.join(folder, "lines.jsonl"), lines);
  const handler = path.join(folder, "handler.mjs");
  const log = path.join(folder, "attempts");
  writeFileSync(
    handler,
    `import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
export default async (line, ctx) => {
  appendFileSync(${JSON.stringify(log)}, JSON.stringify([line.id, ctx.attempt]) + "\\n");
  if (line.id === ${bad}) { ${what} }
  await sleep(1);
  ${books}
};
`,
  );
  const dead = path.join(folder, "dead.jsonl");
  const url = store === "file" ? `file:${path.join(folder, "store")}` : store;
  const fixed = ["--on-dead", "continue", "--json", "--processes", "2", "--retries", "1", "--backoff", "5ms"];
  const command = ["each", input, "--do", handler, "--store", url, "--key", "account", "--job", "job", ...fixed];
  const runs = await Promise.all(
    machines.map((through) => start(t, [...command, "--dead-letter", dead, ...args], folder, { through }).ended),
  );
  const { code, out, err } = runs[0] as (typeof runs)[number];
  for (const run of runs) assert.equal(run.code, code, run.err);
  assert.ok(code === 0 || code === 1, `exit code ${code}: ${err}${out}`);
  const hf = await connect(url);
  t.after(() => hf.close());
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(code === 1 ? others : lines)));
  const tried = readLines(log) as [number, number][];
  return {
    code,
    err,
    summary: JSON.parse(out) as EachSummary,
    letters: readLines(dead) as ExportedDeadLetter[],
    attempts: tried.filter(([id]) => id === bad).map(([, attempt]) => attempt),
  };
}

function assertDead({ code, summary, letters, attempts, err }: Outcome, cause: RegExp): void {
  assert.equal(code, 1, err);
  assert.deepEqual([summary.outcome, summary.done, summary.dead, summary.waiting], ["dead", others.length, 1, 0]);
  const [letter, ...more] = letters;
  assert.equal(more.length, 0);
  assert.equal(letter?.id, bad);
  assert.match(letter.error.message, cause);
  assert.equal(letter.error.name, "WorkerLostError");
  assertCounted(attempts);
  // A worker may also be lost when it has the item in hand and has not begun it.
  const last = attempts.at(-1) ?? 0;
  assert.ok(letter.attempts >= last, `${letter.attempts} attempts, the last that began was ${last}`);
}

/** Each run counts those before it: from 1 on, unless a worker was lost before it had begun the item. */
function assertCounted(attempts: readonly number[]): void {
  assert.ok((attempts[0] ?? 0) >= 1, "it was tried");
  for (const [i, attempt] of attempts.entries())
    assert.ok(i === 0 || attempt > (attempts[i - 1] as number), attempts.join(", "));
}

const reached = await reachBackends();
const missing = (name: string): string | false => reached.find(({ backend }) => backend === name)?.missing ?? false;

type Case = readonly [name: string, what: string, cause: RegExp, ...args: string[]];

const endsItsProcess: Case = [
  "ends its process",
  "process.exit(7);",
  /^its process ended with exit code 7, while it ran alone: attempt 4$/,
];
const blocksIt: Case = [
  "blocks its process for longer than the lease",
  block(2_000),
  /^its handler blocked the event loop, or its process was paused, for longer than the lease \(1 s\)/,
  "--lease",
  "1s",
];
const more: readonly Case[] = [
  ["aborts, as where memory runs out", "process.abort();", /^its process was ended by SIGABRT, as where it runs out/],
  ["leaves a rejection behind", 'void Promise.reject(new TypeError("late")); return;', /\(TypeError: late\)/],
  [
    "throws in a timer while it runs",
    'setTimeout(() => { throw new RangeError("later"); }, 1); await sleep(60_000);',
    /\(RangeError: later\)/,
  ],
  ["never gives its process back", block(), /blocked the event loop/, "--lease", "1s"],
];

/**
 * The stores that workers are lost on; of a server each job has a part of its own. How a process ended is seen by its parent, whatever
 * the store is. On servers run those in which a partition goes on under a lease that ends, or that its holder gave up with its life.
 */
const stores = {
  file: { skip: false, url: () => Promise.resolve("file"), cases: [endsItsProcess, blocksIt, ...more] },
  redis: {
    skip: missing("redis"),
    url: async () => ownPart((await shared.single("redis")).url),
    cases: [endsItsProcess, blocksIt],
  },
  postgres15: {
    skip: missing("postgres15"),
    url: async () => ownPart((await sharedServer("postgres15")).url),
    cases: [blocksIt],
  },
};

function ownPart(url: string): string {
  return `${url}?prefix=lost_${randomBytes(6).toString("hex")}`;
}

for (const [backend, { skip, url: storeFor, cases }] of Object.entries(stores)) {
  describe(`a worker that is lost, on ${backend}`, { skip }, () => {
    for (const [name, what, cause, ...args] of cases) {
      it(`an item that ${name} is a dead letter that says so`, async (t) => {
        assertDead(await runBad(t, await storeFor(), what, args), cause);
      });
    }
  });
}

it("an item that is lost once is done by another worker, as its second attempt", async (t) => {
  const { code, attempts, err } = await runBad(t, "file", "if (ctx.attempt === 1) process.exit(7);");
  assert.equal(code, 0, err);
  assert.deepEqual(attempts, [1, 2]);
});

it(
  "the machine that takes a partition over counts what another one lost",
  { skip: missing("redis") || (noMachines() ?? false), timeout: 120_000 },
  async (t) => {
    const machines = new Machines(2);
    t.after(() => machines.remove());
    const redis = await startRedis({
      kind: "redis",
      appendonly: "everysec",
      settings: { bind: `127.0.0.1 ${machines.address}` },
    });
    t.after(() => redis.stop());
    const url = `redis://${machines.address}:${redis.port}`;
    const on = [machines.on(0), machines.on(1)];
    const outcome = await runBad(t, url, "process.exit(7);", ["--lease", "1s", "--processes", "1"], on);
    assertDead(outcome, /^its (process ended with exit code 7|process ended|worker was lost: .*), while it ran alone/);
  },
);

it("stop-key: what follows in its key waits behind an item that ends its process, until it is retried", async (t) => {
  const folder = folderFor(t);
  const input = writeLines(path.join(folder, "lines.jsonl"), makeLines(30, 3));
  const handlerOf = (what: string): string => {
    const file = path.join(folder, `handler-${randomBytes(4).toString("hex")}.mjs`);
    writeFileSync(file, `export default async (line, ctx) => { ${what} ${books} };\n`);
    return file;
  };
  const run = async (handler: string, ...args: string[]): Promise<EachSummary & { code: number | null }> => {
    const store = `file:${path.join(folder, "store")}`;
    const fixed = [
      "--store",
      store,
      "--key",
      "account",
      "--retries",
      "0",
      "--processes",
      "1",
      "--job",
      "job",
      "--json",
    ];
    const { code, out } = await start(t, ["each", input, "--do", handler, ...fixed, ...args], folder).ended;
    return { code, ...(JSON.parse(out) as EachSummary) };
  };
  const first = await run(handlerOf("if (line.id === 5) process.exit(3);"));
  assert.deepEqual([first.code, first.dead, first.waiting > 0], [1, 1, true]);
  const second = await run(handlerOf(""), "--retry-dead");
  assert.deepEqual([second.code, second.done, second.dead, second.waiting], [0, 30, 0, 0]);
});

it(
  "workers that are killed from outside again and again make no dead letter",
  { skip: process.platform !== "linux" },
  async (t) => {
    const folder = folderFor(t);
    const many = makeLines(900, 200);
    const input = writeLines(path.join(folder, "lines.jsonl"), many);
    const handler = path.join(folder, "handler.mjs");
    const log = path.join(folder, "log");
    writeFileSync(
      handler,
      `import { appendFileSync } from "node:fs";\nimport { setTimeout as sleep } from "node:timers/promises";\nexport default async (line, ctx) => { await sleep(5); ${books}\nappendFileSync(${JSON.stringify(log)}, "x"); };\n`,
    );
    const store = `file:${path.join(folder, "store")}`;
    const args = ["each", input, "--do", handler, "--store", store, "--key", "account", "--processes", "2", "--json"];
    const run = start(t, args, folder);
    for (const handled of [100, 220, 340, 460, 580]) {
      await until(() => readIfThere(log).length >= handled, 60_000);
      const worker = treeOf(run.pid).slice(1).find(isRunning);
      if (worker !== undefined) process.kill(worker, "SIGKILL");
    }
    const { code, out, err } = await run.ended;
    assert.equal(code, 0, err);
    const { done, dead, restarts } = JSON.parse(out) as EachSummary;
    assert.deepEqual([done, dead, restarts > 3], [900, 0, true]);
    const hf = await connect(store);
    t.after(() => hf.close());
    assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(many)));
  },
);

it("a handler of this process that blocks it is counted when the partition is taken again", async (t) => {
  const hf = await memoryFor(t);
  const folder = folderFor(t);
  const input = writeLines(path.join(folder, "lines.jsonl"), lines);
  const attempts: number[] = [];
  const deadLetter = path.join(folder, "dead.jsonl");
  const summary = await each<{ id: number }>(
    input,
    async (line, ctx) => {
      if (line.id === bad) {
        attempts.push(ctx.attempt);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500);
      }
      await ctx.state<number>("times").upsert(`${line.id}`, (times) => (times ?? 0) + 1);
    },
    { store: hf, key: "account", onDead: "continue", retries: 1, leaseTtl: 600, deadLetter },
  );
  assert.deepEqual([summary.done, summary.dead], [others.length, 1]);
  assertCounted(attempts);
  assert.ok(attempts.length >= 4);
  const [letter] = readLines(deadLetter) as ExportedDeadLetter[];
  assert.match(letter?.error.message ?? "", /blocked the event loop/);
  const times = new Map<string, number>();
  for await (const { key, value } of hf.state<number>("times").list()) times.set(key, value);
  assert.deepEqual(sorted(times), sorted(new Map(others.map(({ id }) => [`${id}`, 1]))));
});
