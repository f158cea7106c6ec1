import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { findServer as findMysql } from "../backends/mysql/servers.ts";
import { findServer as findPostgres } from "../backends/postgres/servers.ts";
import { findServer as findRedis } from "../backends/redis/servers.ts";
import { until } from "../support/servers/until.ts";

const programs = { redis: findRedis("redis"), postgres15: findPostgres("postgres15"), mariadb: findMysql("mariadb") };

for (const [kind, found] of Object.entries(programs)) {
  const skip = found ? false : `${kind} is not there`;
  for (const [how, argument] of [
    ["ends by itself", "leave"],
    ["is killed, its server paused", "stay"],
  ] as const) {
    void test(`no ${kind} outlives a process that ${how}`, { skip }, async () => {
      const program = fileURLToPath(new URL("programs/server-owner.ts", import.meta.url));
      const owner = spawn(process.execPath, [program, kind, argument], { stdio: ["ignore", "pipe", "inherit"] });
      const exit = once(owner, "exit");
      const [line] = (await once(owner.stdout, "data")) as [Buffer];
      const { port, folder } = JSON.parse(line.toString()) as { port: number; folder: string };
      if (argument === "stay") {
        assert.equal(await isOpen(port), true);
        owner.kill("SIGKILL");
      }
      await exit;
      await until("the server to end", async () => !(await isOpen(port)) && !existsSync(folder));
    });
  }
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // refused: nobody listens
  } finally {
    socket.destroy();
  }
}
