import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import type { Socket } from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import { findTool, type ServerProgram } from "../../../scripts/lib/servers/find.ts";
import { findServer, wanted, type MysqlKind } from "../../backends/mysql/servers.ts";
import { freePorts } from "../servers/ports.ts";
import { present, TestServer } from "../servers/server.ts";
import { queryOn, type Row, type SqlOptions, type SqlSession } from "./options.ts";
import { freshData } from "./template.ts";

const run = promisify(execFile);
const database = "holdfast";

/** Connections, and as few as a server can be told to take. */
const most = 300;
const fewest = 10;

/** One running MySQL or MariaDB with the user `root`, who needs no password, and the database `holdfast`. */
export class MysqlServer extends TestServer {
  declare readonly kind: MysqlKind;

  static async start({ kind, flushes = false, settings = {} }: SqlOptions<MysqlKind>): Promise<MysqlServer> {
    const program = present(findServer(kind), kind);
    const [port = 0] = await freePorts(1);
    const server = new MysqlServer(program, port);
    const all: Readonly<Record<string, string>> = {
      port: String(port),
      "bind-address": server.host,
      socket: path.join(server.folder, "socket"),
      "pid-file": path.join(server.folder, "pid"),
      "max-connections": String(most),
      "innodb-flush-log-at-trx-commit": flushes ? "1" : "2",
      ...(kind === "mysql" ? { mysqlx: "OFF" } : { "skip-name-resolve": "ON" }),
      ...settings,
    };
    const options = Object.entries(all).map(([name, value]) => `--${name}=${value}`);
    await freshData(program, server.data, async (folder) => initialise(program, folder));
    await server.begin({
      command: [...program.command, ...general(program, server.data), ...options],
      // Its database has the character set that the settings say.
      ping: async () => queryMysql(mysqlUrl(port, ""), `CREATE DATABASE IF NOT EXISTS ${database}`),
      async clear() {
        rmSync(server.data, { recursive: true, force: true });
        await freshData(program, server.data, async (folder) => initialise(program, folder));
      },
    });
    return server;
  }

  get data(): string {
    return path.join(this.folder, "data");
  }

  get url(): string {
    return mysqlUrl(this.port);
  }

  /** Runs statements on a connection of its own, each in a transaction of its own unless they say otherwise. */
  async query(...texts: readonly string[]): Promise<readonly Row[]> {
    return queryMysql(this.url, ...texts);
  }

  /** A connection as `root`. */
  async session(): Promise<SqlSession> {
    return openMysql(this.url);
  }

  /** Makes the user `app`, who may use the database and no more. Gives the URL. */
  async appUrl(): Promise<string> {
    await this.query("CREATE USER app IDENTIFIED BY 'secret'", `GRANT ALL ON ${database}.* TO app`);
    return this.url.replace("root@", "app:secret@");
  }

  /** Ends the connections of a user. */
  async endSessions(user: "root" | "app"): Promise<void> {
    const session = await this.session();
    try {
      await endSessions(session, user);
    } finally {
      await session.end();
    }
  }

  /** Whether the user `app` may write. */
  async setReadOnly(isOn: boolean): Promise<void> {
    await this.query(`SET GLOBAL read_only = ${isOn ? "ON" : "OFF"}`);
  }

  /** Whether the user `app` may not write. */
  async isReadOnly(): Promise<boolean> {
    const [row] = await this.query("SELECT @@global.read_only AS value");
    return row?.["value"] === 1;
  }

  /** Ends the connections of `app`, and leaves it none, until it is told to give them back. */
  async takeConnections(): Promise<() => Promise<void>> {
    const taken = await Promise.all(Array.from({ length: fewest }, async () => this.session()));
    const [admin] = taken as [SqlSession];
    await admin.query(`SET GLOBAL max_connections = ${fewest}`);
    await endSessions(admin, "app");
    return async () => {
      await admin.query(`SET GLOBAL max_connections = ${most}`);
      await Promise.all(taken.map(async (session) => session.end()));
    };
  }
}

async function endSessions(session: SqlSession, user: string): Promise<void> {
  const where = `WHERE user = '${user}' AND id <> connection_id()`;
  for (const { id } of await session.query(`SELECT id AS id FROM information_schema.processlist ${where}`)) {
    await session.query(`KILL ${String(id)}`).catch(() => undefined); // it may have ended by itself
  }
}

/** Starts one server. Stop it with `stop()`; it also ends with this process. */
export async function startMysql(options: SqlOptions<MysqlKind>): Promise<MysqlServer> {
  return MysqlServer.start(options);
}

/** A server on a port of 127.0.0.1. */
export function mysqlUrl(port: number, name = database): string {
  return `mysql://root@127.0.0.1:${port}/${name}`;
}

/** Runs statements one after the other on a connection of their own, and gives the rows of the last one. */
export async function queryMysql(url: string, ...texts: readonly string[]): Promise<readonly Row[]> {
  return queryOn(openMysql(url), texts);
}

async function openMysql(url: string): Promise<SqlSession> {
  const connection = await createConnection({ uri: url, connectTimeout: 1_000 });
  connection.on("error", () => undefined); // the statement under way rejects
  return {
    async query(text) {
      const [rows] = await connection.query<RowDataPacket[]>(text);
      return Array.isArray(rows) ? rows.map((row) => ({ ...row })) : []; // else it says what was changed
    },
    keepAlive(isOn) {
      const { stream } = (connection as unknown as { connection: { stream: Socket } }).connection;
      if (isOn) stream.ref();
      else stream.unref();
    },
    end: async () => Promise.resolve(connection.destroy()),
  };
}

/** What it is told whenever it runs, also to initialise. Small files: they are copied for each server. */
function general({ kind, root }: ServerProgram, data: string): string[] {
  const own = kind === "mysql" ? ["--secure-file-priv=NULL", "--innodb-redo-log-capacity=8M", "--disable-log-bin"] : [];
  const base = root === "/" ? [] : [`--basedir=${path.join(root, "usr")}`];
  return [
    "--no-defaults",
    ...(process.getuid?.() === 0 ? ["--user=root"] : []),
    ...base,
    `--datadir=${data}`,
    "--innodb-buffer-pool-size=32M",
    "--performance-schema=OFF",
    ...own,
  ];
}

async function initialise(program: ServerProgram, folder: string): Promise<void> {
  if (program.kind === "mysql") {
    const [file, ...before] = program.command;
    await run(file, [...before, ...general(program, folder), "--initialize-insecure"]);
    return;
  }
  const [file, ...before] = findTool(program, wanted.mariadb, "usr/bin/mariadb-install-db");
  // A bare machine cannot resolve its own name: hence `--force`.
  const options = ["--force", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"];
  await run(file, [...before, ...general(program, folder), "--innodb-log-file-size=8M", ...options]);
}
