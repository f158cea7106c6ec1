import { mysqlClient } from "../../../../src/backends/mysql/client.ts";
import { mysqlTables } from "../../../../src/backends/mysql/migrations.ts";
import { postgresClient } from "../../../../src/backends/postgres/client.ts";
import { postgresTables } from "../../../../src/backends/postgres/migrations.ts";
import type { SqlClient } from "../../../../src/backends/sql/client.ts";
import type { TablePlan } from "../../../../src/backends/sql/migrations.ts";
import { isPostgres, type SqlKind } from "../../../support/sql/kinds.ts";

/** A client of the backend that a kind of server is for. */
export function clientOf(kind: SqlKind, url: string): SqlClient {
  return isPostgres(kind) ? postgresClient({ url }) : mysqlClient({ url });
}

/** The tables in the schema or database that the server has. */
export function planOf(kind: SqlKind, prefix = "holdfast_", schema?: string): TablePlan {
  return isPostgres(kind) ? postgresTables(schema ?? "public", prefix) : mysqlTables(schema ?? "holdfast", prefix);
}
