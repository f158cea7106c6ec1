import { literal, quoted, tableNames } from "../sql/identifiers.ts";
import type { TablePlan } from "../sql/migrations.ts";

/** How long another process may take to make the tables, before this one gives up. */
const turnMs = 30_000;

const tables = ["meta", "records", "locks", "floors", "watchers"] as const;

/**
 * The tables on Postgres. All names are qualified, so no `search_path`, which a pooler may hand from one application to
 * the next, leads to other tables.
 */
export function postgresTables(schema: string, prefix: string): TablePlan {
  const names = tableNames('"', prefix, schema);
  const { meta, records, locks, floors, watchers } = names;
  const wanted = tables.map((kind) => literal(prefix + kind)).join(", ");
  const turnName = literal(`holdfast:${schema}:${prefix}`);
  const index = (table: "records" | "locks" | "floors", column: string): string =>
    `CREATE INDEX IF NOT EXISTS ${quoted(names.plain(`${table}_${column}`), '"')} ON ${names[table]} (${column})`;
  const json = names.other("json");
  return {
    backend: "postgres",
    names,
    migrates: true,
    versions: [
      {
        tables,
        worksFor: 1,
        statements: [
          `CREATE TABLE IF NOT EXISTS ${meta} (
  name text COLLATE "C" PRIMARY KEY,
  value text NOT NULL
)`,
          // For queries and indexes of applications. A column of it would cost each write more than the write itself.
          // What is no JSON to Postgres (\u0000, say) is NULL, so that no index fails a write.
          `CREATE OR REPLACE FUNCTION ${json}(bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  RETURN pg_catalog.convert_from($1, 'UTF8')::pg_catalog.jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN NULL;
END $$`,
          `CREATE TABLE IF NOT EXISTS ${records} (
  space bytea NOT NULL,
  key bytea NOT NULL,
  version bytea NOT NULL,
  format smallint NOT NULL,
  value bytea NOT NULL,
  expires_at bigint,
  stamps bytea,
  PRIMARY KEY (space, key)
) WITH (fillfactor = 85)`,
          `${index("records", "expires_at")} WHERE expires_at IS NOT NULL`,
          `CREATE TABLE IF NOT EXISTS ${locks} (
  space bytea NOT NULL,
  key bytea NOT NULL,
  body text NOT NULL,
  grant_no bigint NOT NULL,
  kept_until bigint NOT NULL,
  PRIMARY KEY (space, key)
) WITH (fillfactor = 70)`,
          // Written in whole hours, so most changes of a lock leave the index alone.
          index("locks", "kept_until"),
          `CREATE TABLE IF NOT EXISTS ${floors} (
  space bytea NOT NULL,
  key bytea NOT NULL,
  grant_no bigint NOT NULL,
  n integer NOT NULL,
  kept_until bigint NOT NULL,
  PRIMARY KEY (space, key)
) WITH (fillfactor = 70)`,
          index("floors", "kept_until"),
          // Who is told of changes in a space, and on which channel: all who watch it share that.
          `CREATE TABLE IF NOT EXISTS ${watchers} (
  space bytea NOT NULL,
  watcher text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL,
  until bigint NOT NULL,
  PRIMARY KEY (space, watcher)
) WITH (fillfactor = 70)`,
        ],
      },
    ],
    look:
      "SELECT c.relname::text FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c " +
      "ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') " +
      `AND c.relname IN (${wanted}) WHERE n.nspname = ${literal(schema)}`,
    // lock_timeout counts for advisory locks too. The client gives each statement no more time than there is.
    turn: [
      `SET LOCAL lock_timeout = ${turnMs}`,
      "SET LOCAL client_min_messages = warning",
      `SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(${turnName}, 0))`,
    ],
    keep: (name, value) => `INSERT INTO ${meta} (name, value) VALUES ('${name}', ${value}) ON CONFLICT DO NOTHING`,
    put: (name, value) =>
      `INSERT INTO ${meta} AS m (name, value) VALUES ('${name}', ${value}) ` +
      `ON CONFLICT (name) DO UPDATE SET value = GREATEST(m.value::int, ${value})::text`,
  };
}
