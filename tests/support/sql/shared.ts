import type { PgBouncerKind } from "../../backends/postgres/servers.ts";
import { sharing } from "../servers/shared.ts";
import { startSql, type SqlKind, type SqlServer } from "./kinds.ts";
import { startPgBouncer, type PgBouncer } from "./pgbouncer.ts";

/** A server of the kind that a test file shares: see {@link sharing}. */
export const sharedServer = sharing<SqlKind, SqlServer>((kind) => startSql(kind));

/** A PgBouncer that a test file shares, in front of the server that it shares. */
export const sharedBouncer = sharing<PgBouncerKind, PgBouncer>(async (kind) => {
  const { port } = await sharedServer("postgres15");
  return startPgBouncer({ kind, port });
});
