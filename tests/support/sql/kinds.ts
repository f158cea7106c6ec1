import { findServer as findMysql, wanted as wantedMysql, type MysqlKind } from "../../backends/mysql/servers.ts";
import {
  findServer as findPostgres,
  wanted as wantedPostgres,
  type PgBouncerKind,
  type PostgresKind,
} from "../../backends/postgres/servers.ts";
import { faulted } from "../faults/kinds.ts";
import { startMysql, type MysqlServer } from "./mysql.ts";
import type { SqlOptions } from "./options.ts";
import { startPostgres, type PostgresServer } from "./postgres.ts";

export type SqlKind = PostgresKind | MysqlKind;
export type SqlServer = PostgresServer | MysqlServer;

export const sqlKinds: readonly SqlKind[] = ["postgres15", "postgres18", "mariadb", "mysql"];

/** What the tests of faults run on: see {@link faulted}. */
export const postgresFaultKinds = faulted<PostgresKind>(["postgres15"], ["postgres18"]);
export const mysqlFaultKinds = faulted<MysqlKind>(["mariadb"], ["mysql"]);

/** Why tests on a kind of server are skipped; false where they run. */
export function lacks(kind: SqlKind | PgBouncerKind): string | false {
  return (isOf(kind, wantedMysql) ? findMysql(kind) : findPostgres(kind)) ? false : `${kind} is not there`;
}

/** Starts one of any kind. Stop it with `stop()`; it also ends with this process. */
export async function startSql(kind: SqlKind, options: Omit<SqlOptions<SqlKind>, "kind"> = {}): Promise<SqlServer> {
  return isOf(kind, wantedPostgres) ? startPostgres({ ...options, kind }) : startMysql({ ...options, kind });
}

/** Whether a kind of server is a Postgres. */
export function isPostgres(kind: SqlKind): boolean {
  return isOf(kind, wantedPostgres);
}

function isOf<Kind extends string>(kind: string, kinds: Readonly<Record<Kind, unknown>>): kind is Kind {
  return kind in kinds;
}
