import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";

async function run(program: string, args: readonly string[] = [], options: readonly string[] = []): Promise<string> {
  const file = path.join(import.meta.dirname, "programs", program);
  const { stdout } = await promisify(execFile)(process.execPath, [...options, file, ...args], { timeout: 30_000 });
  return stdout.trim();
}

describe("leases and the life of a process", () => {
  it("a forgotten lease is collected, renewed no more and released; one in use is not", async () => {
    const { free, lost, ran, released } = JSON.parse(await run("forgotten.ts", [], ["--expose-gc"])) as {
      free: boolean;
      lost: string[];
      ran: string;
      released: string;
    };
    assert.equal(free, true);
    assert.deepEqual(lost, ["forgotten expired"]);
    assert.equal(ran, "ran");
    assert.equal(released, "released");
  });

  it("a held lease does not keep a process alive", async () => {
    const start = performance.now();
    assert.equal(await run("alive.ts"), "end");
    assert.ok(performance.now() - start < 8_000, "long before its ttl has passed");
  });

  it("a call that waits does", async () => {
    assert.equal(await run("alive.ts", ["waiting"]), "timed out\nend");
  });
});
