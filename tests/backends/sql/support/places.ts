import { createPool, type PoolConnection } from "mysql2/promise";
import { mysqlTables } from "../../../../src/backends/mysql/migrations.ts";
import { postgresClient } from "../../../../src/backends/postgres/client.ts";
import { postgresTables } from "../../../../src/backends/postgres/migrations.ts";
import { SqlError, type Reply, type SqlClient, type Statement } from "../../../../src/backends/sql/client.ts";
import type { TablePlan } from "../../../../src/backends/sql/migrations.ts";
import type { SqlKind } from "../../../support/sql/kinds.ts";

/** Whether a kind of server is a Postgres. */
export function isPostgres(kind: SqlKind): boolean {
  return kind.startsWith("postgres");
}

/** A client of the backend that a kind of server is for. */
export function clientOf(kind: SqlKind, url: string): SqlClient {
  return isPostgres(kind) ? postgresClient({ url }) : mysqlClient(url);
}

/** The tables in the schema or database that the server has. */
export function planOf(kind: SqlKind, prefix = "holdfast_", schema?: string): TablePlan {
  return isPostgres(kind) ? postgresTables(schema ?? "public", prefix) : mysqlTables(schema, prefix);
}

function mysqlClient(url: string): SqlClient {
  const pool = createPool({ uri: url, connectionLimit: 2, multipleStatements: true, rowsAsArray: true });
  const run = async (connection: PoolConnection, statements: readonly Statement[]): Promise<readonly Reply[]> => {
    const replies: Reply[] = [];
    for (const { text } of statements) {
      try {
        const [rows] = await connection.query(text);
        replies.push({ rows: Array.isArray(rows) ? (rows as unknown[][]) : [], changed: 0 });
      } catch (error) {
        const { message, code = "" } = error as Error & { code?: string };
        throw new SqlError(/DEADLOCK|LOCK_WAIT|DUP_ENTRY/.test(code) ? "busy" : "refused", message);
      }
    }
    return replies;
  };
  return {
    problem: undefined,
    maxWaiting: 1_000,
    open: async () => undefined,
    async read(statement) {
      const connection = await pool.getConnection();
      try {
        return (await run(connection, [statement]))[0] as Reply;
      } finally {
        connection.release();
      }
    },
    write: async () => Promise.reject(new Error("not needed")),
    async transaction() {
      const connection = await pool.getConnection();
      await connection.query("COMMIT; SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION");
      return {
        run: async (statements) => run(connection, statements),
        async commit(statements) {
          const replies = await run(connection, statements);
          await connection.query("COMMIT");
          return replies;
        },
        rollback: () => void connection.query("ROLLBACK").finally(() => connection.release()),
      };
    },
    close: async () => pool.end(),
  };
}
