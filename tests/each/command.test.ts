import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { isRunning } from "../support/is-running.ts";
import { killAll, readIfThere, start, treeOf, until, type Running } from "./running.ts";
import type { EachSummary } from "../../src/entries/each.ts";
import { connect } from "../../src/entries/index.ts";
import {
  accountsOf,
  folderFor,
  makeLines,
  readLines,
  serial,
  sorted,
  writeLines,
  type Account,
  type Line,
} from "./support.ts";

// The command as it is run: processes of its own on an embedded store.

interface Bench {
  readonly folder: string;
  readonly store: string;
  readonly input: string;
  handler(body: string): string;
  start(...args: string[]): Running;
  accounts(): Promise<Map<string, Account>>;
}

function benchFor(t: TestContext, lines: readonly unknown[]): Bench {
  const folder = folderFor(t);
  const store = `file:${path.join(folder, "store")}`;
  const input = writeLines(path.join(folder, "lines.jsonl"), lines);
  let handlers = 0;
  return {
    folder,
    store,
    input,
    handler(body) {
      const file = path.join(folder, `handler-${handlers++}.mjs`);
      writeFileSync(
        file,
        `import { setTimeout as sleep } from "node:timers/promises";\nimport { appendFileSync, existsSync, writeFileSync } from "node:fs";\nexport default async (line, ctx) => {\n${body}\n};\n`,
      );
      return file;
    },
    start: (...args) => start(t, args, folder),
    async accounts() {
      const hf = await connect(store);
      try {
        return await accountsOf(hf);
      } finally {
        await hf.close();
      }
    },
  };
}

const summaryOf = ({ out }: { out: string }): EachSummary => JSON.parse(out) as EachSummary;

const books = `
  const accounts = ctx.state("accounts");
  const account = (await accounts.load(ctx.key)) ?? { balance: 0, items: 0, chain: 7 };
  await accounts.save(ctx.key, { balance: account.balance + line.amount, items: account.items + 1, chain: (account.chain * 31 + line.id) % 1000003 });`;

test(
  "killed at any time, every process of it, it loses, doubles and reorders nothing",
  { skip: process.platform !== "linux" },
  async (t) => {
    const lines = makeLines(1_800, 50);
    const bench = benchFor(t, lines);
    const log = path.join(bench.folder, "log");
    const handler = bench.handler(`${books}\nawait sleep(1);\nappendFileSync(${JSON.stringify(log)}, "x");`);
    const args = [
      "each",
      bench.input,
      "--do",
      handler,
      "--store",
      bench.store,
      "--key",
      "account",
      "--processes",
      "2",
      "--json",
    ];
    let runs = 0;
    for (const items of [200, 700, 1_200]) {
      const run = bench.start(...args);
      // Not by the store: nobody has that open once all of them are killed.
      await until(() => readIfThere(log).length >= items);
      killAll(treeOf(run.pid));
      await run.ended;
      runs++;
    }
    assert.equal(runs, 3);
    const last = await bench.start(...args).ended;
    assert.equal(last.code, 0, last.err);
    assert.equal(summaryOf(last).done, 1_800);
    assert.deepEqual(sorted(await bench.accounts()), sorted(serial(lines)));
  },
);

test(
  "a worker that crashes is started again; without its parent none goes on",
  { skip: process.platform !== "linux" },
  async (t) => {
    const lines = makeLines(600, 20);
    const bench = benchFor(t, lines);
    const mark = path.join(bench.folder, "crashed");
    const handler = bench.handler(
      `${books}\nawait sleep(2);\nif (line.id === 300 && !existsSync(${JSON.stringify(mark)})) { writeFileSync(${JSON.stringify(mark)}, ""); process.exit(7); }`,
    );
    const args = [
      "each",
      bench.input,
      "--do",
      handler,
      "--store",
      bench.store,
      "--key",
      "account",
      "--processes",
      "2",
      "--json",
    ];
    const { code, out, err } = await bench.start(...args).ended;
    assert.equal(code, 0, err);
    assert.equal(summaryOf({ out }).restarts, 1);
    assert.deepEqual(sorted(await bench.accounts()), sorted(serial(lines)));

    const forever = bench.start(
      "each",
      bench.input,
      "--do",
      bench.handler("await sleep(100);"),
      "--store",
      bench.store,
      "--job",
      "orphans",
      "--processes",
      "2",
    );
    await until(() => treeOf(forever.pid).length >= 3);
    const workers = treeOf(forever.pid).slice(1);
    process.kill(forever.pid, "SIGKILL");
    await until(() => !workers.some(isRunning));
  },
);

test("a module that ends its process before there is an item is given up, with what to look at", async (t) => {
  const bench = benchFor(t, makeLines(10, 2));
  const handler = path.join(bench.folder, "ends.mjs");
  writeFileSync(handler, "process.exit(9);\n");
  const { code, err } = await bench.start(
    "each",
    bench.input,
    "--do",
    handler,
    "--store",
    bench.store,
    "--processes",
    "1",
  ).ended;
  assert.equal(code, 2);
  assert.match(err, /before they have started an item \(its process ended with exit code 9\)/);
});

test("where every item ends its process, every one is a dead letter", async (t) => {
  const bench = benchFor(t, makeLines(2, 2));
  const { code, out } = await bench.start(
    "each",
    bench.input,
    "--do",
    bench.handler("process.exit(9);"),
    "--store",
    bench.store,
    "--processes",
    "1",
    "--retries",
    "0",
    "--json",
  ).ended;
  assert.equal(code, 1);
  assert.deepEqual([summaryOf({ out }).done, summaryOf({ out }).dead], [0, 2]);
});

test("an interrupt finishes what is in hand; running it again goes on", async (t) => {
  const lines = makeLines(500, 20);
  const bench = benchFor(t, lines);
  const log = path.join(bench.folder, "log");
  const handler = bench.handler(`appendFileSync(${JSON.stringify(log)}, line.id + "\\n");\nawait sleep(5);\n${books}`);
  const args = [
    "each",
    bench.input,
    "--do",
    handler,
    "--store",
    bench.store,
    "--key",
    "account",
    "--processes",
    "2",
    "--concurrency",
    "4",
    "--json",
  ];
  const run = bench.start(...args);
  await until(() => readIfThere(log).length > 100);
  process.kill(run.pid, "SIGINT");
  const first = await run.ended;
  assert.equal(first.code, 130, first.err);
  assert.match(first.err, /^$|finishing the items in hand/);
  const { outcome, processed } = summaryOf(first);
  assert.equal(outcome, "interrupted");
  assert.equal(processed, readLines(log).length, "whatever was started is committed");
  assert.ok(processed < 500);
  const second = await bench.start(...args).ended;
  assert.equal(second.code, 0, second.err);
  assert.equal(summaryOf(second).processed, 500 - processed);
  assert.equal(readLines(log).length, 500, "no item ran twice");
  assert.deepEqual(sorted(await bench.accounts()), sorted(serial(lines)));
});

test("a second interrupt ends it at once", { skip: process.platform !== "linux" }, async (t) => {
  const bench = benchFor(t, makeLines(50, 5));
  const started = path.join(bench.folder, "started");
  const handler = bench.handler(`writeFileSync(${JSON.stringify(started)}, "");\nawait sleep(60_000);`);
  const run = bench.start("each", bench.input, "--do", handler, "--store", bench.store, "--processes", "2");
  await until(() => readIfThere(started) === "" && readdirSync(bench.folder).includes("started"));
  const workers = treeOf(run.pid).slice(1);
  let said = "";
  run.child.stderr?.on("data", (data: Buffer) => void (said += data.toString()));
  process.kill(run.pid, "SIGINT");
  await until(() => said.includes("interrupt again"));
  process.kill(run.pid, "SIGINT");
  assert.equal((await run.ended).code, 130);
  await until(() => !workers.some(isRunning));
});

test("a handler that never settles has failed after its time, and one that never loads can be interrupted", async (t) => {
  const bench = benchFor(t, makeLines(30, 3));
  const args = ["--store", bench.store, "--key", "account", "--on-dead", "continue", "--processes", "1", "--json"];
  const hangs = bench.handler("if (line.id === 7) await new Promise(() => {});");
  const timeouts = ["--item-timeout", "50ms", "--retries", "1", "--backoff", "1ms"];
  const { code, out, err } = await bench.start("each", bench.input, "--do", hangs, ...args, ...timeouts).ended;
  assert.equal(code, 1, err);
  assert.deepEqual([summaryOf({ out }).done, summaryOf({ out }).dead], [29, 1]);

  const loading = path.join(bench.folder, "loading");
  const never = path.join(bench.folder, "never.mjs");
  writeFileSync(
    never,
    `import { writeFileSync } from "node:fs";\nwriteFileSync(${JSON.stringify(loading)}, "");\nawait new Promise(() => {});\nexport default () => {};\n`,
  );
  const run = bench.start("each", bench.input, "--do", never, ...args);
  await until(() => existsSync(loading));
  process.kill(run.pid, "SIGINT");
  assert.equal((await run.ended).code, 130);
});

test("two commands on one store share the work", async (t) => {
  const lines = makeLines(1_500, 60);
  const bench = benchFor(t, lines);
  const handler = bench.handler(`await sleep(4);\n${books}`);
  const args = [
    "each",
    bench.input,
    "--do",
    handler,
    "--store",
    bench.store,
    "--key",
    "account",
    "--processes",
    "1",
    "--concurrency",
    "2",
    "--json",
  ];
  const runs = await Promise.all([bench.start(...args).ended, bench.start(...args).ended]);
  let processed = 0;
  for (const run of runs) {
    assert.equal(run.code, 0, run.err);
    const summary = summaryOf(run);
    assert.equal(summary.done, 1_500);
    assert.ok(summary.processed > 100, `${summary.processed} items`);
    processed += summary.processed;
  }
  assert.equal(processed, 1_500);
  assert.deepEqual(sorted(await bench.accounts()), sorted(serial(lines)));
});

test("standard input is spooled; the same content goes on", async (t) => {
  const lines = makeLines(100, 5);
  const bench = benchFor(t, lines);
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  const args = [
    "each",
    "-",
    "--do",
    bench.handler(books),
    "--store",
    bench.store,
    "--key",
    "account",
    "--processes",
    "1",
    "--json",
  ];
  const first = await start(t, args, bench.folder, { input: text }).ended;
  assert.equal(first.code, 0, first.err);
  assert.equal(summaryOf(first).processed, 100);
  assert.equal(summaryOf(await start(t, args, bench.folder, { input: text }).ended).processed, 0);
  assert.deepEqual(sorted(await bench.accounts()), sorted(serial(lines)));
});

test("dead letters: exit code 1, a file of them, and another try", async (t) => {
  const bench = benchFor(t, makeLines(40, 4) satisfies Line[]);
  const file = path.join(bench.folder, "dead.jsonl");
  const args = ["--store", bench.store, "--key", "account", "--job", "letters", "--processes", "1"];
  const bad = bench.handler('if (line.id === 20) throw new TypeError("twenty");');
  const first = await bench.start(
    "each",
    bench.input,
    "--do",
    bad,
    ...args,
    "--retries",
    "1",
    "--backoff",
    "5ms",
    "--on-dead",
    "continue",
    "--dead-letter",
    file,
  ).ended;
  assert.equal(first.code, 1, first.err);
  assert.match(first.out, /39 items done, 1 dead letter\n/);
  assert.deepEqual(
    readLines(file).map((letter) => (letter as { error: object }).error),
    [{ name: "TypeError", message: "twenty" }],
  );
  const second = await bench.start("each", bench.input, "--do", bench.handler(""), ...args, "--retry-dead", "--quiet")
    .ended;
  assert.equal(second.code, 0, second.err);
  assert.equal(second.err, "");
  assert.match(second.out, /40 items done, 0 dead letters/);
});

test("bad usage says what is wrong, in one line, and exits with 2", async (t) => {
  const bench = benchFor(t, makeLines(3, 1));
  const handler = bench.handler("");
  const none = path.join(bench.folder, "none.mjs");
  const empty = path.join(bench.folder, "empty.mjs");
  writeFileSync(empty, "export const x = 1;\n");
  const wrong: [string[], RegExp][] = [
    [["each"], /needs an INPUT/],
    [["each", bench.input], /needs --do HANDLER/],
    [["each", bench.input, "--do", handler, "--sture", "x"], /sture/],
    [["each", bench.input, "--do", handler, "--processes", "many"], /--processes must be a whole number/],
    [["each", bench.input, "--do", handler, "--on-dead", "panic"], /--on-dead must be stop-key or continue/],
    [["each", bench.input, "--do", handler, "--backoff", "soon"], /backoff must be/],
    [
      ["each", path.join(bench.folder, "none.jsonl"), "--do", handler, "--store", bench.store],
      /there is no input file/,
    ],
    [["each", bench.input, "--do", none, "--store", bench.store], /cannot be loaded/],
    [["each", bench.input, "--do", empty, "--store", bench.store], /no default export/],
    [["each", bench.input, "--do", handler, "--store", "carrier-pigeon://x"], /known schemes/],
    [["eech"], /there is no command "eech"/],
    [["demo", "--processes", "1"], /--processes must be a whole number from 2/],
  ];
  for (const [args, pattern] of wrong) {
    const { code, err, out } = await bench.start(...args).ended;
    assert.equal(code, 2, `${args.join(" ")}: ${err}`);
    assert.match(err, pattern);
    assert.equal(err.trim().split("\n").length, 1, err);
    assert.equal(out, "");
  }
  assert.match((await bench.start("--version").ended).out, /^\d+\.\d+\.\d+\n$/);
  assert.match((await bench.start("help", "each").ended).out, /--retry-dead/);
});

test("the demo kills one worker, fences one that was paused, and finds no difference", async (t) => {
  const folder = folderFor(t);
  const { code, out, err } = await start(t, ["demo", "--json", "--seed", "11"], folder).ended;
  assert.equal(code, 0, err + out.slice(-2_000));
  const events = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const types = new Set(events.map(({ type }) => type));
  for (const type of ["killed", "paused", "resumed", "fenced", "audit"]) assert.ok(types.has(type), `no event ${type}`);
  const audit = events.at(-1) as Record<string, number>;
  assert.deepEqual([audit["differences"], audit["missing"], audit["doubled"], audit["settledOnce"]], [0, 0, 0, 4_000]);
  assert.ok((audit["fenced"] as number) > 0);
});
