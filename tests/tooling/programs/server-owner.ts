// Starts a server, says where it is, and ends without stopping it: by itself, or when it is killed.
import { startRedis } from "../../support/redis/server.ts";
import type { TestServer } from "../../support/servers/server.ts";
import { startMysql } from "../../support/sql/mysql.ts";
import { startPostgres } from "../../support/sql/postgres.ts";

const kinds: Readonly<Record<string, () => Promise<TestServer>>> = {
  redis: async () => startRedis({ kind: "redis" }),
  postgres15: async () => startPostgres({ kind: "postgres15" }),
  mariadb: async () => startMysql({ kind: "mariadb" }),
};

const [, , kind = "", argument] = process.argv;
const server = await kinds[kind]?.();
const stays = argument === "stay";
// A stopped process reacts to nothing but a kill.
if (stays) server?.pause();
process.stdout.write(`${JSON.stringify({ port: server?.port, folder: server?.folder })}\n`);
if (stays) setInterval(() => undefined, 1_000);
