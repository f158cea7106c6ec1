import type { TestContext } from "node:test";
import { mysqlBackend } from "../../../../src/backends/mysql/index.ts";
import { mysqlClient } from "../../../../src/backends/mysql/client.ts";
import { mysqlDialect } from "../../../../src/backends/mysql/dialect.ts";
import { mysqlTables } from "../../../../src/backends/mysql/migrations.ts";
import { postgresBackend } from "../../../../src/backends/postgres/index.ts";
import { postgresClient } from "../../../../src/backends/postgres/client.ts";
import { postgresDialect } from "../../../../src/backends/postgres/dialect.ts";
import { postgresTables } from "../../../../src/backends/postgres/migrations.ts";
import type { SqlClient } from "../../../../src/backends/sql/client.ts";
import type { Dialect } from "../../../../src/backends/sql/dialect.ts";
import type { TableNames } from "../../../../src/backends/sql/identifiers.ts";
import { openTables } from "../../../../src/backends/sql/tables.ts";
import { systemTime } from "../../../../src/base/time.ts";
import type { Backend } from "../../../../src/port/index.ts";
import { isPostgres, type SqlKind } from "../../../support/sql/kinds.ts";
import type { Row } from "../../../support/sql/options.ts";
import { drawPrefix } from "../../../support/sql/place.ts";
import { sharedServer } from "../../../support/sql/shared.ts";

/** Tables of their own, and the ways to them. All of it ends with the test. */
export interface Store {
  readonly client: SqlClient;
  readonly dialect: Dialect;
  readonly names: TableNames;
  /** A backend on these tables. */
  backend(): Backend;
  /** Runs statements, as somebody else on the server; the rows of the last. */
  query(...texts: readonly string[]): Promise<readonly Row[]>;
}

export async function storeOn(t: TestContext, kind: SqlKind): Promise<Store> {
  const server = await sharedServer(kind);
  const { url } = server;
  const prefix = drawPrefix();
  const own = isPostgres(kind) ? onPostgres(url, prefix) : onMysql(url, prefix);
  const backends: Backend[] = [];
  t.after(async () => {
    for (const backend of backends) await backend.close();
    await own.client.close();
  });
  const limit = { deadline: systemTime.monotonic() + 20_000, time: systemTime };
  await own.client.open(limit);
  await openTables(own.client, own.plan, "auto", limit);
  return {
    ...own,
    names: own.plan.names,
    backend() {
      const backend = own.make();
      backends.push(backend);
      return backend;
    },
    query: async (...texts) => server.query(...texts),
  };
}

function onPostgres(url: string, prefix: string) {
  const plan = postgresTables("public", prefix);
  const client = postgresClient({ url });
  return { client, plan, dialect: postgresDialect(plan.names), make: () => postgresBackend({ url, prefix }) };
}

function onMysql(url: string, prefix: string) {
  const plan = mysqlTables("holdfast", prefix);
  const client = mysqlClient({ url });
  const dialect = mysqlDialect(plan.names, () => client.server);
  return { client, plan, dialect, make: () => mysqlBackend({ url, prefix }) };
}
