import { writeFileSync } from "node:fs";
import path from "node:path";
import { findServer, type PgBouncerKind } from "../../backends/postgres/servers.ts";
import { freePorts } from "../servers/ports.ts";
import { present, TestServer } from "../servers/server.ts";
import type { Row } from "./options.ts";
import { postgresUrl, queryPostgres } from "./postgres.ts";

/** A PgBouncer in transaction mode in front of a Postgres on a port of 127.0.0.1. */
export interface PgBouncerOptions {
  readonly kind: PgBouncerKind;
  readonly port: number;
  /** More settings by their names in its configuration, such as `{ default_pool_size: "4" }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** One running PgBouncer. */
export class PgBouncer extends TestServer {
  static async start({ kind, port: server, settings = {} }: PgBouncerOptions): Promise<PgBouncer> {
    const program = present(findServer(kind), kind);
    const [port = 0] = await freePorts(1);
    const bouncer = new PgBouncer(program, port);
    const all: Readonly<Record<string, string>> = {
      listen_addr: bouncer.host,
      listen_port: String(port),
      unix_socket_dir: "",
      auth_type: "any",
      pool_mode: "transaction",
      default_pool_size: "20",
      max_client_conn: "500",
      ...(kind === "pgbouncer118" ? {} : { max_prepared_statements: "100" }),
      ...settings,
    };
    const file = path.join(bouncer.folder, "pgbouncer.ini");
    const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
    const databases = `[databases]\n* = host=127.0.0.1 port=${server} user=postgres`;
    writeFileSync(file, `${databases}\n[pgbouncer]\n${lines.join("\n")}\n`);
    await bouncer.begin({
      command: [...program.command, file],
      ping: async () => bouncer.query("SELECT 1"),
      clear: () => undefined,
    });
    return bouncer;
  }

  get url(): string {
    return postgresUrl(this.port);
  }

  /** As that of a Postgres. */
  async query(...texts: readonly string[]): Promise<readonly Row[]> {
    return queryPostgres(this.url, ...texts);
  }
}

/** Starts one. Stop it with `stop()`; it also ends with this process. */
export async function startPgBouncer(options: PgBouncerOptions): Promise<PgBouncer> {
  return PgBouncer.start(options);
}
