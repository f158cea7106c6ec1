import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { test } from "node:test";

const program = path.join(import.meta.dirname, "programs/conform.ts");

function run(settings: Readonly<Record<string, string>>): { readonly stdout: string; readonly status: number | null } {
  const env = { ...process.env, ...settings };
  // The program is a test file of its own.
  delete env["NODE_TEST_CONTEXT"];
  return spawnSync(process.execPath, ["--test-reporter=tap", program], { env, encoding: "utf8" });
}

test("what stands on the port is left out on a subject that is like another one, and no test of it passes", () => {
  const { stdout, status } = run({});
  assert.equal(status, 1);
  assert.match(stdout, /^ok \d+ - state on alike # SKIP left out: above the port it is as there$/m);
  assert.match(stdout, /^# Subtest: state on there$/m);
  assert.match(stdout, /^ok \d+ - alike promises what there does$/m);
  assert.match(stdout, /^not ok \d+ - unlike promises what there does$/m);
  assert.match(run({ HOLDFAST_SUITES: "all" }).stdout, /^ok \d+ - state on alike$/m);
});

test("a subject that cannot be opened is a test that fails, and the next one is tried all the same", () => {
  const { stdout, status } = run({});
  assert.equal(status, 1);
  assert.match(stdout, /^not ok \d+ - port on away$/m);
  assert.match(stdout, /code: .UNAVAILABLE/);
  assert.match(stdout, /^ok \d+ - port on there$/m);
  assert.doesNotMatch(stdout, /uncaughtException/);
});
