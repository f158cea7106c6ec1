import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { startEach, type EachSummary } from "../entries/each.ts";
import { connect } from "../entries/index.ts";
import { parse, wholeNumber } from "./args.ts";
import { auditBooks, type Audit } from "./demo/audit.ts";
import { Drill } from "./demo/drill.ts";
import { makeOrders, randomFrom, writeOrders } from "./demo/ledger.ts";
import { DemoScreen, type DemoOutput } from "./demo/screen.ts";
import { JsonOutput } from "./demo/json-output.ts";
import { Exit, exitOf, messageOf } from "./exit.ts";
import { help } from "./help.ts";
import { onInterrupt } from "./interrupt.ts";

/** How long a worker keeps its partitions without a sign of life, in ms: short, since the demo waits for it. */
const leaseMs = 1_500;
const pauseMs = 2_500;
const partitions = 12;
const concurrency = 8;

interface DemoTerms {
  readonly store: string | undefined;
  readonly orders: number;
  readonly processes: number;
  readonly seed: number;
}

/** `holdfast demo`: its exit code. */
export async function demoCommand(args: readonly string[]): Promise<number> {
  const { values } = parse({
    args: [...args],
    options: {
      store: { type: "string" },
      orders: { type: "string" },
      processes: { type: "string" },
      seed: { type: "string" },
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(help("demo"));
    return Exit.done;
  }
  const terms: DemoTerms = {
    store: values.store,
    orders: wholeNumber(values.orders, "orders", 500, 1_000_000) ?? 4_000,
    processes: wholeNumber(values.processes, "processes", 2, partitions) ?? 3,
    seed: wholeNumber(values.seed, "seed", 0, 2 ** 32 - 1) ?? Math.floor(Math.random() * 2 ** 32),
  };
  const output: DemoOutput = values.json ? new JsonOutput(process.stdout) : new DemoScreen(process.stdout, partitions);
  const folder = await mkdtemp(join(tmpdir(), ".holdfast-demo-"));
  try {
    return await show(terms, folder, output);
  } catch (error) {
    output.failed(messageOf(error));
    return exitOf(error);
  } finally {
    output.end();
    await rm(folder, { recursive: true, force: true });
  }
}

async function show(terms: DemoTerms, folder: string, output: DemoOutput): Promise<number> {
  const { orders: count, processes, seed } = terms;
  const store = terms.store ?? `file:${join(folder, "store")}`;
  const ledger = `${seed}-${Date.now().toString(36)}`;
  const orders = [...makeOrders(count, seed, ledger)];
  const input = join(folder, "orders.jsonl");
  await writeOrders(orders, input);
  output.begin({ orders: count, processes, seed, store: terms.store });

  const own = import.meta.url;
  const handler = fileURLToPath(new URL(own.endsWith(".ts") ? "./demo/handler.ts" : "./demo/handler.js", own));
  const run = startEach(input, handler, {
    store,
    job: `demo ${ledger}`,
    key: "account",
    processes,
    concurrency,
    partitions,
    leaseTtl: leaseMs,
  });
  const drill = new Drill(run, { orders: count, processes, pauseMs, random: randomFrom(seed) }, (event) =>
    output.drill(event),
  );
  run.on((event) => {
    output.event(event);
    drill.see(event);
  });
  const undo = onInterrupt(run, (text) => output.say(text));
  let summary: EachSummary;
  try {
    summary = await run.result;
  } finally {
    drill.end();
    undo();
  }
  if (summary.outcome === "interrupted") {
    output.say("interrupted");
    return Exit.interrupted;
  }
  const audit = await auditStore(store, orders);
  const shown = drill.killed && drill.fenced > 0;
  output.result(summary, audit, shown);
  return audit.differences === 0 && summary.outcome === "done" && shown ? Exit.done : Exit.dead;
}

async function auditStore(store: string, orders: Parameters<typeof auditBooks>[1]): Promise<Audit> {
  const hf = await connect(store);
  try {
    return await auditBooks(hf, orders);
  } finally {
    await hf.close();
  }
}
