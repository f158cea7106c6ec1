import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { reachBackends } from "../../scripts/lib/backends.ts";
import type { EachSummary } from "../../src/entries/each.ts";
import { connect } from "../../src/entries/index.ts";
import { Machines, noMachines } from "../support/machines.ts";
import { startCluster } from "../support/redis/cluster.ts";
import { shared } from "../support/redis/shared.ts";
import { startRedis } from "../support/redis/server.ts";
import { killAll, start, treeOf, until, type Running } from "./running.ts";
import { accountsOf, folderFor, makeLines, serial, sorted, writeLines, type Line } from "./support.ts";

// The command on Redis: several processes, and several machines, that share a store.

/**
 * What an item leaves: its account, how often it was booked, and where. A machine can be made to hold its items back, and all of them
 * wait with those from `GATE` on, so that there is something left when that is done.
 */
const books = `
  const accounts = ctx.state("accounts");
  const account = (await accounts.load(ctx.key)) ?? { balance: 0, items: 0, chain: 7 };
  await sleep(Number(process.env.PAUSE ?? 1));
  const machine = process.env.MACHINE ?? "";
  while (line.id >= Number(process.env.GATE ?? Infinity) && !existsSync("go")) await sleep(5);
  while (existsSync("hold-" + machine)) {
    writeFileSync("holding-" + machine, "");
    await sleep(5);
  }
  await accounts.save(ctx.key, { balance: account.balance + line.amount, items: account.items + 1, chain: (account.chain * 31 + line.id) % 1000003 });
  const key = line.id + "{" + ctx.key + "}";
  await ctx.state("seen").upsert(key, (times) => (times ?? 0) + 1);
  await ctx.state("by").save(machine + "{" + ctx.key + "}", 1);`;

interface Bench {
  readonly folder: string;
  readonly args: readonly string[];
  /** Whether an item has committed that the machine handled. */
  workedOn(machine: number): Promise<boolean>;
  /** Items whose writes have committed. */
  booked(): Promise<number>;
  /** Nothing was lost, doubled or reordered. */
  check(): Promise<void>;
}

async function benchFor(
  t: TestContext,
  lines: readonly Line[],
  url: string,
  ...more: readonly string[]
): Promise<Bench> {
  const folder = folderFor(t);
  const store = `${url}?prefix=each-${randomBytes(6).toString("hex")}`;
  const input = writeLines(path.join(folder, "lines.jsonl"), lines);
  const handler = path.join(folder, "handler.mjs");
  writeFileSync(
    handler,
    `import { existsSync, writeFileSync } from "node:fs";\nimport { setTimeout as sleep } from "node:timers/promises";\nexport default async (line, ctx) => {${books}\n};\n`,
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
  const hf = await connect(store, { timeout: "20s" });
  t.after(() => hf.close());
  return {
    folder,
    args,
    async workedOn(machine) {
      for await (const { key } of hf.state("by").list({ prefix: `${machine}{` })) if (key !== "") return true;
      return false;
    },
    booked: async () => [...(await accountsOf(hf)).values()].reduce((sum, { items }) => sum + items, 0),
    async check() {
      assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
      const seen: unknown[] = [];
      for await (const { value } of hf.state("seen").list()) seen.push(value);
      assert.deepEqual(
        seen,
        Array.from(lines, () => 1),
      );
      for await (const { key } of hf.state("holdfast-each-done job").list()) assert.fail(`a mark is left of ${key}`);
    },
  };
}

/** How long several processes may take to start on a machine that does other things too, in ms. */
const startup = 60_000;

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
        const bench = await benchFor(t, lines, url, "--processes", "2", "--lease", "2s");
        for (const items of [200, 700, 1_200]) {
          const run = start(t, bench.args, bench.folder);
          await until(async () => (await bench.booked()) >= items, startup);
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
    "on redis: a server that is killed and comes back with its data costs time and nothing else",
    { skip: missing("redis"), timeout: 120_000 },
    async (t) => {
      const redis = await startRedis({ kind: "redis", appendonly: "always" });
      t.after(() => redis.stop());
      const lines = makeLines(2_500, 50);
      const bench = await benchFor(t, lines, redis.url, "--processes", "2", "--concurrency", "8", "--lease", "2s");
      const run = start(t, bench.args, bench.folder, { through: ["env", "PAUSE=30"] });
      for (const items of [300, 900, 1_500]) {
        await until(async () => (await bench.booked()) >= items, startup);
        await redis.restart();
      }
      assert.ok((await bench.booked()) < lines.length, "the run was not over before");
      const { code, out, err } = await run.ended;
      assert.equal(code, 0, err);
      assert.equal(summaryOf({ out }).done, lines.length);
      await bench.check();
    },
  );

  it(
    "on redis-cluster: a failover in peace and slots that move during a run lose and double nothing",
    { skip: missing("redis-cluster"), timeout: 120_000 },
    async (t) => {
      const cluster = await startCluster({ kind: "redis", appendonly: "everysec" });
      t.after(() => cluster.stop());
      const lines = makeLines(2_500, 50);
      const bench = await benchFor(t, lines, cluster.url, "--processes", "2", "--concurrency", "8");
      const run = start(t, bench.args, bench.folder, { through: ["env", "PAUSE=50"] });
      await until(async () => (await bench.booked()) >= 300, startup);
      const slot = await cluster.slotOf("a7");
      const successor = await cluster.failover(slot);
      const target = await cluster.primaryOf(await cluster.slotOf("partition/3"));
      const others = await Promise.all([0, 8_000, 16_000].map((any) => cluster.primaryOf(any)));
      for (const key of ["a1", "a2", "partition/3", "partition/9"]) {
        const moving = await cluster.slotOf(key);
        const from = await cluster.primaryOf(moving);
        const to = others.find((other) => other !== from) ?? target;
        await cluster.moveSlot(moving, to);
      }
      assert.ok(successor.isRunning);
      assert.ok((await bench.booked()) < lines.length, "the run was not over before");
      const { code, out, err } = await run.ended;
      assert.equal(code, 0, err);
      assert.equal(summaryOf({ out }).done, lines.length);
      await bench.check();
    },
  );

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
      const bench = await benchFor(t, lines, url, "--processes", "2", "--lease", "1500ms", "--concurrency", "8");
      const on = (machine: number): Running =>
        start(t, bench.args, bench.folder, {
          through: machines.on(machine, "env", `MACHINE=${machine}`, `GATE=${lines.length / 2}`),
        });
      const [first, second] = [on(0), on(1)];
      await until(async () => (await bench.workedOn(0)) && (await bench.workedOn(1)), startup);
      // What it has in hand when its cable is pulled comes to an end long after its leases.
      writeFileSync(path.join(bench.folder, "hold-0"), "");
      writeFileSync(path.join(bench.folder, "go"), "");
      await until(() => existsSync(path.join(bench.folder, "holding-0")));
      machines.cut(0);
      const two = await second.ended;
      assert.deepEqual([two.code, summaryOf(two).done], [0, lines.length], two.err);
      machines.join(0);
      rmSync(path.join(bench.folder, "hold-0"));
      const one = await first.ended;
      assert.equal(one.code, 0, one.err);
      const { done, processed, fenced } = summaryOf(one);
      assert.deepEqual([done, processed > 0], [lines.length, true]);
      assert.ok(fenced > 0, "what the cut one had in hand was refused");
      await bench.check();
    },
  );
});
