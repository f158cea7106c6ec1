import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { before, after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

// Threads and processes of ours must start without the application's own start-up, however it is given.

const run = promisify(execFile);
const entry = pathToFileURL(path.resolve(import.meta.dirname, "../../src/entries/index.ts")).href;
const each = pathToFileURL(path.resolve(import.meta.dirname, "../../src/entries/each.ts")).href;

/** What an application may do when it starts: once only, or the second finds the first one's port taken. */
const setUpSource = `
import { appendFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
appendFileSync(path.join(import.meta.dirname, "started"), "x");
const server = createServer().listen(path.join(import.meta.dirname, "port"));
server.unref();
process.once("exit", () => server.close());
`;
const scriptSource = `require("node:fs").appendFileSync(require("node:path").join(__dirname, "started"), "x");`;
const handlerSource = `
export default async (item, ctx) => {
  await ctx.state("seen").save(String(item.n), { word: process.env.WORD, args: process.execArgv.join(" "), options: process.env.NODE_OPTIONS });
};
`;

function file(name: string, text: string): string {
  const at = path.join(folder, name);
  writeFileSync(at, text);
  return at;
}

let folder: string;
let started: string;
let setUp: { readonly module: string; readonly script: string };
let stores = 0;

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), "holdfast-start-"));
  started = path.join(folder, "started");
  setUp = { module: file("setup.mjs", setUpSource), script: file("setup.cjs", scriptSource) };
  file("handler.mjs", handlerSource);
  file("lines.jsonl", Array.from({ length: 20 }, (_, i) => `{"n":${i}}\n`).join(""));
});
after(() => rmSync(folder, { recursive: true, maxRetries: 5 }));

const body = `
const hf = await connect(process.env.STORE);
await hf.state("s").save("k", 1);
console.log(await hf.state("s").load("k"));
await hf.close();
`;
const program = `import { connect } from "${entry}";${body}`;
const script = `import("${entry}").then(async ({ connect }) => {${body}});`;

/** Runs Node so, on a store of its own; what it printed, and how often the application started. */
async function start(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ out: string; starts: number }> {
  writeFileSync(started, "");
  const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...inherited } = process.env;
  const store = `file:${path.join(folder, `store-${stores++}`)}`;
  const { stdout } = await run(process.execPath, args, {
    cwd: folder,
    env: { ...inherited, STORE: store, WORD: "kept", ...env },
    timeout: 60_000,
  });
  return { out: stdout.trim(), starts: readFileSync(started, "utf8").length };
}

const ways: readonly (readonly [
  string,
  (main: string) => readonly string[],
  starts: number,
  NODE_OPTIONS?: () => string,
])[] = [
  ["--input-type=module --eval", () => ["--input-type=module", "--eval", program], 0],
  ["--eval", () => ["--eval", script], 0],
  ["--import", (main) => ["--import", setUp.module, main], 1],
  ["--require", (main) => ["--require", setUp.script, main], 1],
  ["NODE_OPTIONS=--import", (main) => [main], 1, () => `--import=${setUp.module}`],
  ["NODE_OPTIONS=--require", (main) => [main], 1, () => `--require=${setUp.script}`],
  ["--inspect", (main) => ["--inspect=127.0.0.1:0", main], 0],
  ["--env-file", (main) => [`--env-file=${file("env", `NODE_OPTIONS="--require=${setUp.script}"\n`)}`, main], 1],
  ["--test-isolation=none --test", (main) => ["--test", "--test-isolation=none", "--test-reporter=tap", main], 0],
];

for (const [name, args, starts, options] of ways) {
  void test(`the commit thread of \`file:\` starts plainly in a process that was started with ${name}`, async () => {
    const env: Record<string, string> = options ? { NODE_OPTIONS: options() } : {};
    const told = await start(args(file("main.mjs", program)), env);
    assert.match(told.out, /^(# )?1$/m);
    assert.equal(told.starts, starts);
  });
}

void test("the worker processes of `each` start plainly, with the environment of this one but its NODE_OPTIONS", async () => {
  const main = file(
    "each.mjs",
    `import { each } from "${each}"; import { connect } from "${entry}";
    await each("lines.jsonl", "handler.mjs", { store: process.env.STORE, processes: 2 });
    const hf = await connect(process.env.STORE);
    const seen = await hf.state("seen").loadMany(Array.from({ length: 20 }, (_, n) => String(n)));
    console.log(JSON.stringify([...new Set([...seen.values()].map((one) => JSON.stringify(one)))]));
    await hf.close();`,
  );
  const told = await start(["--import", setUp.module, main], { NODE_OPTIONS: `--require=${setUp.script}` });
  const kinds = JSON.parse(told.out) as string[];
  assert.equal(kinds.length, 1);
  const seen = JSON.parse(kinds[0] as string) as { word: string; args: string; options?: string };
  assert.equal(seen.word, "kept");
  assert.equal(seen.options, undefined);
  assert.doesNotMatch(seen.args, /setup/);
  assert.equal(told.starts, 2, "one by NODE_OPTIONS and one by --import, both in the process itself");
});
