import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { leftOut } from "../../scripts/lib/left-out.ts";
import { root } from "../../scripts/lib/run.ts";
import { execute } from "../package/support/process.ts";

const head = `import { describe, it } from "node:test";\n`;

/** Test files, each with what `npm test` has to say of it. */
const files = {
  passes: { text: `${head}it("does", () => {});`, shows: undefined },
  skips: { text: `${head}it("does not", { skip: "why" }, () => {});`, shows: undefined },
  "leaves out": {
    text: `${head}it("state on one", { skip: ${JSON.stringify(leftOut("why"))} }, () => {});`,
    shows: undefined,
  },
  fails: {
    text: `${head}it("is wrong", () => { throw new Error("what is wrong"); });`,
    shows: /is wrong.*what is wrong/s,
  },
  "breaks off": { text: `${head}it("aborts", () => process.abort());`, shows: /breaks off\.test\.mjs/ },
  "does not load": { text: `throw new Error("not loaded");`, shows: /not loaded/ },
  "rejects late": {
    text: `${head}it("goes", () => void setTimeout(() => Promise.reject(new Error("late")), 20)); it("stays", (t, done) => setTimeout(done, 200));`,
    shows: /"late"|late/,
  },
  "waits for ever": {
    text: `${head}it("hangs", () => new Promise(() => setInterval(() => {}, 1000)));`,
    shows: /hangs.*timed out/s,
  },
  "stays open": { text: `${head}it("does", () => {}); setInterval(() => {}, 1000);`, shows: /aborted due to timeout/ },
  spins: { text: `${head}it("spins", () => { for (;;); });`, shows: /aborted due to timeout/ },
  "has no tests": { text: `export {};`, shows: /no test ran/ },
  "has an empty suite": { text: `${head}describe("nothing", () => {});`, shows: /no test ran/ },
} as const;

describe("npm test", { concurrency: 2 }, () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "holdfast-runner-"));
    const runner = pathToFileURL(path.join(root, "scripts/lib/run-tests.ts")).href;
    const program = `import { runUnits } from ${JSON.stringify(runner)};
      const units = process.argv.slice(2).map((file) => ({ name: file, files: [file], weight: 1 }));
      process.exitCode = await runUnits(units, 2, { test: 1_500, file: 4_000 });`;
    writeFileSync(path.join(folder, "program.mjs"), program);
    for (const [name, { text }] of Object.entries(files)) writeFileSync(at(name), text);
  });
  after(() => rmSync(folder, { recursive: true }));

  const at = (name: string): string => path.join(folder, `${name}.test.mjs`);
  const run = async (...names: readonly string[]) =>
    execute(process.execPath, [path.join(folder, "program.mjs"), ...names.map(at)], { cwd: folder });

  for (const [name, { shows }] of Object.entries(files)) {
    it(`${shows ? "fails" : "passes"} with a file that ${name}, and says so at its end`, async () => {
      const { code, stdout } = await run("passes", name);
      assert.equal(code, shows ? 1 : 0, stdout);
      const [, end = ""] = stdout.split(/^ℹ longest: /m);
      assert.match(end, /^ℹ tests \d+$/m);
      assert.equal(/^ℹ (?:fail|cancelled) [1-9]/m.test(end), shows !== undefined, end);
      if (!shows) return;
      assert.match(end, /failing tests:/);
      assert.match(end, new RegExp(`${name}\\.test\\.mjs`));
      assert.match(stdout, shows);
    });
  }

  it("names at its end what was left out, and no other test that was skipped", async () => {
    const { code, stdout } = await run("passes", "leaves out", "skips");
    assert.equal(code, 0, stdout);
    const [, end = ""] = stdout.split(/^ℹ longest: /m);
    assert.match(end, /^ℹ left out, and no test of them ran \(HOLDFAST_SUITES=all: all run\): state on one$/m);
    assert.match(end, /^ℹ skipped 2$/m);
    assert.doesNotMatch((await run("skips")).stdout, /left out/);
  });

  it("fails where there is nothing to run", async () => {
    assert.equal((await run()).code, 1);
  });
});
