import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, it } from "node:test";
import path from "node:path";
import { promisify } from "node:util";
import { startCluster } from "../../../support/redis/cluster.ts";
import { startSentinel } from "../../../support/redis/sentinel.ts";
import { startRedis, type RedisServer } from "../../../support/redis/server.ts";

const run = promisify(execFile);

/** What a program prints. It has to end by itself, and nothing may end up unhandled. */
async function output(program: string, ...args: readonly string[]): Promise<string> {
  const file = path.join(import.meta.dirname, "programs", program);
  const { stdout, stderr } = await run(process.execPath, ["--unhandled-rejections=strict", file, ...args], {
    timeout: 10_000,
  });
  assert.doesNotMatch(stderr, /error|warning/i);
  return stdout;
}

void describe("a process", () => {
  let server: RedisServer;
  before(async () => {
    server = await startRedis({ kind: "redis" });
  });
  after(async () => server.stop());

  void it("ends though its connections are open", async () => {
    assert.equal(await output("leave-open.ts", server.url), "");
  });

  void it("stays while a command is pending", async () => {
    assert.equal(await output("leave-open.ts", server.url, "pending"), "replied\n");
  });

  void it("stays while a caller waits for a connection, and no longer", async () => {
    assert.match(await output("leave-open.ts", "redis://127.0.0.1:1", "down"), /ECONNREFUSED/);
  });

  void it("ends with sentinels", async () => {
    const group = await startSentinel({ kind: "redis" });
    try {
      assert.equal(await output("leave-open.ts", group.url, "pending"), "replied\n");
    } finally {
      await group.stop();
    }
  });

  void it("ends with a cluster", async () => {
    const cluster = await startCluster({ kind: "redis" });
    try {
      assert.equal(await output("leave-open.ts", cluster.url), "");
    } finally {
      await cluster.stop();
    }
  });

  void it("is told at once what to install", async () => {
    assert.match(await output("without-driver.ts"), /UnsupportedError: .*npm install redis@6 at once\n/);
  });
});
