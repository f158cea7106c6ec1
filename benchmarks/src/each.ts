// Measures `holdfast each` over a file beside a bare loop that reads, parses and puts every line into lmdb, counts the
// memory of the whole process tree, and kills every process of a run three times to see that nothing is lost, doubled or
// reordered.
//
//   node src/each.ts [--items 1000000] [--keys 1000] [--runs 3] [--processes N] [--cli ../dist/cli/main.js] [--no-kill]
import { spawn, type ChildProcess } from "node:child_process";
import { createReadStream, createWriteStream, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { open } from "lmdb";
import { connect } from "holdfast";

const { values } = parseArgs({
  options: {
    items: { type: "string", default: "1000000" },
    keys: { type: "string", default: "1000" },
    runs: { type: "string", default: "3" },
    processes: { type: "string" },
    cli: { type: "string", default: path.join(import.meta.dirname, "../../dist/cli/main.js") },
    "no-kill": { type: "boolean", default: false },
  },
});
const items = Number(values.items);
const keys = Number(values.keys);
const handler = path.join(import.meta.dirname, "each-handler.mjs");

interface Account {
  balance: number;
  items: number;
  chain: number;
}

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-each-bench-"));
try {
  const input = path.join(folder, "input.jsonl");
  const expected = await makeInput(input);
  console.log(`${items} items, ${keys} keys, ${availableParallelism()} cores, Node ${process.version}`);

  const bare: number[] = [];
  const ours: number[] = [];
  for (let run = 0; run < Number(values.runs); run++) {
    bare.push(await bareLoop(input, path.join(folder, `bare-${run}`)));
    const store = path.join(folder, `each-${run}`);
    const { ms, peakMiB } = await runEach(input, store);
    ours.push(ms);
    const differences = await audit(store, expected);
    const last = bare.at(-1) as number;
    console.log(
      `run ${run + 1}: bare ${s(last)}, each ${s(ms)} (${(ms / last).toFixed(2)}x), ` +
        `peak RssAnon of the tree ${peakMiB.toFixed(0)} MiB, ${differences} differences`,
    );
    rmSync(store, { recursive: true, force: true });
  }
  const ratio = median(ours) / median(bare);
  console.log(`median: bare ${s(median(bare))}, each ${s(median(ours))}: ${ratio.toFixed(2)}x`);

  if (!values["no-kill"]) {
    const store = path.join(folder, "killed");
    let peak = 0;
    for (const part of [0.25, 0.4, 0.5]) {
      const killed = await runEach(input, store, median(ours) * part);
      peak = Math.max(peak, killed.peakMiB);
      console.log(`killed every process after ${s(killed.ms)}`);
    }
    const last = await runEach(input, store);
    console.log(
      `went on and finished in ${s(last.ms)}, peak ${Math.max(peak, last.peakMiB).toFixed(0)} MiB, ` +
        `${await audit(store, expected)} differences`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Writes the input; gives what a serial run leaves of each key. */
async function makeInput(file: string): Promise<Map<string, Account>> {
  const expected = new Map<string, Account>();
  const out = createWriteStream(file);
  let state = 42;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  for (let id = 1; id <= items; id++) {
    const account = `account-${random(keys)}`;
    const amount = random(1_000);
    if (!out.write(`${JSON.stringify({ id, account, amount, memo: `payment ${id}` })}\n`)) await once(out, "drain");
    const known = expected.get(account) ?? { balance: 0, items: 0, chain: 7 };
    known.balance += amount;
    known.items++;
    known.chain = (known.chain * 31 + id) % 1_000_003;
    expected.set(account, known);
  }
  out.end();
  await once(out, "close");
  return expected;
}

/** Reads, parses and puts every line, in batches of 1,000. */
async function bareLoop(file: string, store: string): Promise<number> {
  const start = performance.now();
  const database = open({ path: store });
  let n = 0;
  let last: Promise<boolean> | undefined;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    const item = JSON.parse(line) as { id: number };
    last = database.put(item.id, item);
    if (++n % 1_000 === 0) await last;
  }
  await last;
  await database.flushed;
  const ms = performance.now() - start;
  await database.close();
  rmSync(store, { recursive: true, force: true });
  return ms;
}

/** Runs the command; with `killAfter` it ends every process of it after so many ms. */
async function runEach(file: string, store: string, killAfter?: number): Promise<{ ms: number; peakMiB: number }> {
  const start = performance.now();
  const more = values.processes === undefined ? [] : ["--processes", values.processes];
  const args = [
    values.cli,
    "each",
    file,
    "--do",
    handler,
    "--store",
    `file:${store}`,
    "--key",
    "account",
    "--json",
    ...more,
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let peakMiB = 0;
  const timer = setInterval(() => {
    const tree = treeOf(child);
    peakMiB = Math.max(
      peakMiB,
      tree.reduce((sum, pid) => sum + anonymousMiB(pid), 0),
    );
    if (killAfter !== undefined && performance.now() - start >= killAfter) {
      for (const pid of tree) kill(pid);
    }
  }, 20);
  const [code] = (await once(child, "exit")) as [number | null];
  clearInterval(timer);
  if (killAfter === undefined && code !== 0) throw new Error(`each ended with ${code}`);
  return { ms: performance.now() - start, peakMiB };
}

/** How many keys are not as a serial run leaves them. */
async function audit(store: string, expected: ReadonlyMap<string, Account>): Promise<number> {
  const hf = await connect(`file:${store}`);
  const found = await hf.state<Account>("accounts").loadMany(expected.keys());
  let differences = 0;
  for (const [key, account] of expected) {
    const other = found.get(key);
    if (!other || other.balance !== account.balance || other.items !== account.items || other.chain !== account.chain)
      differences++;
  }
  await hf.close();
  return differences;
}

function treeOf(root: ChildProcess): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    if (stat !== "") parents.set(Number(name), Number(stat.replace(/^.*\) /s, "").split(" ")[1]));
  }
  const tree = root.pid === undefined ? [] : [root.pid];
  for (let i = 0; i < tree.length; i++) for (const [pid, parent] of parents) if (parent === tree[i]) tree.push(pid);
  return tree;
}

function anonymousMiB(pid: number): number {
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // it has ended
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number;
}

function s(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
