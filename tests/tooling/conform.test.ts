import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { test } from "node:test";

const program = path.join(import.meta.dirname, "programs/conform.ts");

test("a subject that cannot be opened is a test that fails, and the next one is tried all the same", () => {
  const env = { ...process.env };
  // The program is a test file of its own.
  delete env["NODE_TEST_CONTEXT"];
  const { stdout, status } = spawnSync(process.execPath, ["--test-reporter=tap", program], { env, encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stdout, /^not ok \d+ - port on away$/m);
  assert.match(stdout, /code: .UNAVAILABLE/);
  assert.match(stdout, /^ok \d+ - port on there$/m);
  assert.doesNotMatch(stdout, /uncaughtException/);
});
