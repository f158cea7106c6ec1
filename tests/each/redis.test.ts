import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { reachBackends } from "../../scripts/lib/backends.ts";
import type { EachSummary } from "../../src/entries/each.ts";
import { connect } from "../../src/entries/index.ts";
import { Machines, noMachines } from "../support/machines.ts";
import { shared } from "../support/redis/shared.ts";
import { startRedis } from "../support/redis/server.ts";
import { killAll, start, treeOf, until, type Running } from "./running.ts";
import { accountsOf, folderFor, makeLines, serial, sorted, writeLines, type Account, type Line } from "./support.ts";

// The command on Redis: several processes, and several machines, that share a store.

/** What an item leaves: its account, and how often it was booked. */
const books = `
  const accounts = ctx.state("accounts");
  const account = (await accounts.load(ctx.key)) ?? { balance: 0, items: 0, chain: 7 };
  await sleep(1);
  await accounts.save(ctx.key, { balance: account.balance + line.amount, items: account.items + 1, chain: (account.chain * 31 + line.id) % 1000003 });
  const key = line.id + "{" + ctx.key + "}";
  await ctx.state("seen").upsert(key, (times) => (times ?? 0) + 1);`;

interface Bench {
  readonly folder: string;
  readonly args: readonly string[];
  accounts(): Promise<Map<string, Account>>;
  /** Items whose writes have committed. */
  booked(): Promise<number>;
  /** Nothing was lost, doubled or reordered. */
  check(): Promise<void>;
}

function benchFor(t: TestContext, lines: readonly Line[], url: string, ...more: readonly string[]): Bench {
  const folder = folderFor(t);
  const store = `${url}?prefix=each-${randomBytes(6).toString("hex")}`;
  const input = writeLines(path.join(folder, "lines.jsonl"), lines);
  const handler = path.join(folder, "handler.mjs");
  writeFileSync(
    handler,
    `import { setTimeout as sleep } from "node:timers/promises";\nexport default async (line, ctx) => {${books}\n};\n`,
  );
  const args = [
    "each",
    input,
    "--do",
    handler,
    "--store",
    store,
    "--job",
    "job",
    "--key",
    "account",
    "--json",
    ...more,
  ];
  const using = async <R>(fn: (hf: Awaited<ReturnType<typeof connect>>) => Promise<R>): Promise<R> => {
    const hf = await connect(store, { timeout: "20s" });
    try {
      return await fn(hf);
    } finally {
      await hf.close();
    }
  };
  const accounts = (): Promise<Map<string, Account>> => using(accountsOf);
  return {
    folder,
    args,
    accounts,
    booked: async () => [...(await accounts()).values()].reduce((sum, { items }) => sum + items, 0),
    async check() {
      assert.deepEqual(sorted(await accounts()), sorted(serial(lines)));
      await using(async (hf) => {
        const seen: unknown[] = [];
        for await (const { value } of hf.state("seen").list()) seen.push(value);
        assert.deepEqual(
          seen,
          Array.from(lines, () => 1),
        );
        for await (const { key } of hf.state("holdfast-each-done job").list()) assert.fail(`a mark is left of ${key}`);
      });
    },
  };
}

const summaryOf = ({ out }: { out: string }): EachSummary => JSON.parse(out) as EachSummary;

const reached = await reachBackends();
const missing = (name: string): string | false =>
  process.platform !== "linux"
    ? "processes are looked up as Linux has them"
    : (reached.find(({ backend }) => backend === name)?.missing ?? false);

describe("each on redis", () => {
  for (const [name, where] of [
    ["redis", shared.single],
    ["redis-cluster", shared.cluster],
  ] as const) {
    it(
      `on ${name}: killed at any time, every process of it, it loses, doubles and reorders nothing`,
      { skip: missing(name), timeout: 120_000 },
      async (t) => {
        const lines = makeLines(2_000, 50);
        const { url } = await where("redis");
        const bench = benchFor(t, lines, url, "--processes", "2", "--lease", "2s");
        for (const items of [200, 700, 1_200]) {
          const run = start(t, bench.args, bench.folder);
          await until(async () => (await bench.booked()) >= items);
          killAll(treeOf(run.pid));
          await run.ended;
        }
        const last = await start(t, bench.args, bench.folder).ended;
        assert.equal(last.code, 0, last.err);
        const { done, caveat } = summaryOf(last);
        assert.deepEqual([done, caveat], [2_000, undefined]);
        await bench.check();
      },
    );

    it(`on ${name}: the demo's audit finds no difference`, { skip: missing(name), timeout: 120_000 }, async (t) => {
      const { url } = await where("redis");
      const args = [
        "demo",
        "--json",
        "--orders",
        "1500",
        "--store",
        `${url}?prefix=demo-${randomBytes(6).toString("hex")}`,
      ];
      const { code, out, err } = await start(t, args, folderFor(t)).ended;
      assert.equal(code, 0, err + out.slice(-2_000));
      const audit = out.split("\n").find((line) => line.includes('"type":"audit"')) ?? "";
      const { differences, settledOnce, shown } = JSON.parse(audit) as Record<string, unknown>;
      assert.deepEqual([differences, settledOnce, shown], [0, 1_500, true]);
    });
  }

  it(
    "machines share the work; one that is cut off for longer than its lease is fenced, and nothing is lost or doubled",
    { skip: missing("redis") || (noMachines() ?? false), timeout: 120_000 },
    async (t) => {
      const machines = new Machines(2);
      t.after(() => machines.remove());
      const settings = { bind: `127.0.0.1 ${machines.address}` };
      const redis = await startRedis({ kind: "redis", appendonly: "everysec", settings });
      t.after(() => redis.stop());
      const lines = makeLines(4_000, 60);
      const url = `redis://${machines.address}:${redis.port}`;
      const bench = benchFor(t, lines, url, "--processes", "2", "--lease", "1500ms", "--concurrency", "8");
      const on = (machine: number): Running => start(t, bench.args, bench.folder, { through: machines.on(machine) });
      const [first, second] = [on(0), on(1)];
      await until(async () => (await bench.booked()) >= 600);
      machines.cut(0);
      const atCut = await bench.booked();
      const start0 = performance.now();
      // The other machine takes over what the cut one held, once its leases have ended.
      await until(async () => performance.now() - start0 > 4_000 && (await bench.booked()) > atCut + 200);
      machines.join(0);
      const [one, two] = await Promise.all([first.ended, second.ended]);
      assert.deepEqual([one.code, two.code], [0, 0], one.err + two.err);
      const [cut, other] = [summaryOf(one), summaryOf(two)];
      assert.ok(other.processed > 0 && cut.processed > 0, "both have worked");
      assert.ok(cut.fenced > 0, "what the cut one had in hand was refused");
      assert.equal(other.done, 4_000);
      await bench.check();
    },
  );
});
