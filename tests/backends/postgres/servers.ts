import { findProgram, type ServerProgram, type Wanted } from "../../../scripts/lib/servers/find.ts";

/** The oldest Postgres that is tested, and one of now. */
export type PostgresKind = "postgres15" | "postgres18";

/** A PgBouncer that cannot keep prepared statements, and one that can. */
export type PgBouncerKind = "pgbouncer118" | "pgbouncer126";

const postgres = { says: /^postgres \(PostgreSQL\) ([\d.]+)/, refusesRoot: true } as const;
const pgbouncer = { file: "usr/sbin/pgbouncer", says: /^PgBouncer ([\d.]+)/, refusesRoot: true } as const;
const here = { release: "here", folder: "postgres", packages: ["postgresql-15", "pgbouncer"] } as const;
const sid = { release: "sid", folder: "postgres-sid", packages: ["postgresql-18", "pgbouncer"] } as const;

export const wanted: Readonly<Record<PostgresKind | PgBouncerKind, Wanted>> = {
  postgres15: { ...postgres, file: "usr/lib/postgresql/15/bin/postgres", version: "15", debian: here },
  postgres18: { ...postgres, file: "usr/lib/postgresql/18/bin/postgres", version: "18", debian: sid },
  pgbouncer118: { ...pgbouncer, version: "1.18", alone: true, debian: here },
  pgbouncer126: { ...pgbouncer, version: "1.26", debian: sid },
};

/** The program of a kind, where it is there. */
export function findServer(kind: PostgresKind | PgBouncerKind): ServerProgram | undefined {
  return findProgram(kind, wanted[kind]);
}
