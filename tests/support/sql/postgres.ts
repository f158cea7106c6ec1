import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { findTool, type ServerProgram } from "../../../scripts/lib/servers/find.ts";
import { findServer, wanted, type PostgresKind } from "../../backends/postgres/servers.ts";
import { freePorts } from "../servers/ports.ts";
import { present, TestServer } from "../servers/server.ts";
import { queryOn, type Row, type SqlOptions, type SqlSession } from "./options.ts";
import { freshData } from "./template.ts";

const run = promisify(execFile);

/** One running Postgres with the user `postgres`, who needs no password, and the database `postgres`. */
export class PostgresServer extends TestServer {
  declare readonly kind: PostgresKind;

  static async start({ kind, flushes = false, settings = {} }: SqlOptions<PostgresKind>): Promise<PostgresServer> {
    const program = present(findServer(kind), kind);
    const [port = 0] = await freePorts(1);
    const server = new PostgresServer(program, port);
    const all: Readonly<Record<string, string>> = {
      port: String(port),
      listen_addresses: server.host,
      unix_socket_directories: "",
      max_connections: "300",
      shared_buffers: "32MB",
      jit: "off",
      fsync: flushes ? "on" : "off",
      ...settings,
    };
    const options = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    await freshData(program, server.data, async (folder) => initialise(program, folder));
    await server.begin({
      command: [...program.command, "-D", server.data, ...options],
      manner: { ending: "QUIT", forks: true },
      ping: async () => server.query("SELECT 1"),
      async clear() {
        await server.#removeData();
        await freshData(program, server.data, async (folder) => initialise(program, folder));
      },
    });
    return server;
  }

  get data(): string {
    return path.join(this.folder, "data");
  }

  get url(): string {
    return postgresUrl(this.port);
  }

  /** Runs statements on a connection of its own, each in a transaction of its own unless they say otherwise. */
  async query(...texts: readonly string[]): Promise<readonly Row[]> {
    return queryPostgres(this.url, ...texts);
  }

  /** A connection as `postgres`. */
  async session(): Promise<SqlSession> {
    return openPostgres(this.url);
  }

  /** Makes the user `app`, who may use the database and no more, and needs no password. Gives the URL. */
  async appUrl(): Promise<string> {
    await this.query("CREATE ROLE app LOGIN", "GRANT CREATE ON SCHEMA public TO app");
    return this.url.replace("postgres@", "app@");
  }

  /** Ends the connections of a user. */
  async endSessions(user: "postgres" | "app"): Promise<void> {
    await this.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${user}' AND pid <> pg_backend_pid()`,
    );
  }

  /** Whether transactions that begin from now on may write. */
  async setReadOnly(isOn: boolean): Promise<void> {
    await this.query(
      "SET default_transaction_read_only = off",
      `ALTER SYSTEM SET default_transaction_read_only = ${isOn ? "on" : "off"}`,
      "SELECT pg_reload_conf()",
    );
  }

  /** Whether a transaction that begins now may not write. */
  async isReadOnly(): Promise<boolean> {
    const [row] = await this.query("SHOW default_transaction_read_only");
    return row?.["default_transaction_read_only"] === "on";
  }

  /** Ends the connections of `app`, and leaves it none, until it is told to give them back. */
  async takeConnections(): Promise<() => Promise<void>> {
    await this.query("ALTER ROLE app CONNECTION LIMIT 0");
    await this.endSessions("app");
    return async () => void (await this.query("ALTER ROLE app CONNECTION LIMIT -1"));
  }

  override async stop(): Promise<void> {
    if (!this.isRunning) await this.#removeData();
    await super.stop();
  }

  /** One that was killed has left a segment of shared memory, which it would find again by its data. */
  async #removeData(): Promise<void> {
    const file = path.join(this.data, "postmaster.pid");
    const segment = existsSync(file) ? readFileSync(file, "utf8").split("\n")[6]?.trim().split(/\s+/)[1] : undefined;
    if (segment !== undefined) await run("ipcrm", ["-m", segment]).catch(() => undefined); // it may be gone
    rmSync(this.data, { recursive: true, force: true });
  }
}

/** Starts one server. Stop it with `stop()`; it also ends with this process. */
export async function startPostgres(options: SqlOptions<PostgresKind>): Promise<PostgresServer> {
  return PostgresServer.start(options);
}

/** A Postgres, or what stands in front of one, on a port of 127.0.0.1. */
export function postgresUrl(port: number): string {
  return `postgres://postgres@127.0.0.1:${port}/postgres`;
}

/** Runs statements one after the other on a connection of their own, and gives the rows of the last one. */
export async function queryPostgres(url: string, ...texts: readonly string[]): Promise<readonly Row[]> {
  return queryOn(openPostgres(url), texts);
}

async function openPostgres(url: string): Promise<SqlSession> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  client.on("error", () => undefined); // the statement under way rejects
  try {
    await client.connect();
  } catch (error) {
    await client.end();
    throw error;
  }
  return {
    query: async (text) => (await client.query<Row>(text)).rows,
    keepAlive(isOn) {
      const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
      if (isOn) stream.ref();
      else stream.unref();
    },
    end: async () => client.end(),
  };
}

/** `initdb` starts `postgres` and may run within another root: the data are made there, and moved. */
async function initialise(program: ServerProgram, folder: string): Promise<void> {
  const file = path.join(path.dirname(wanted[program.kind as PostgresKind].file), "initdb");
  const [tool, ...before] = findTool(program, wanted[program.kind as PostgresKind], file);
  const root = before.includes("--root") ? program.root : "/";
  const drafts = mkdtempSync(path.join(root, "tmp/holdfast-initdb-"));
  const draft = path.join(drafts, "data");
  const options = [
    "--auth=trust",
    "--username=postgres",
    "--no-sync",
    "--encoding=UTF8",
    "--locale=C",
    "--wal-segsize=1",
  ];
  try {
    await run(tool, [...before, `--pgdata=${path.join("/", path.relative(root, draft))}`, ...options]);
    await run("mv", [draft, folder]);
  } finally {
    rmSync(drafts, { recursive: true, force: true });
  }
}
