import { literal, quoted, tableNames, type TableNames } from "../sql/identifiers.ts";
import type { TablePlan } from "../sql/migrations.ts";

const tables = ["meta", "records", "locks", "floors"] as const;

/** The names of the tables, with the one of what is told. */
export interface SqliteNames extends TableNames {
  readonly log: string;
}

export function sqliteNames(prefix: string): SqliteNames {
  const names = tableNames('"', prefix);
  return { ...names, log: names.other("log") };
}

/**
 * The tables. What is text here is compared by its bytes, as SQLite does unless told; so people can ask for a key by
 * its name.
 */
export function sqliteTables(prefix: string): TablePlan {
  const names = sqliteNames(prefix);
  const { meta, records, locks, floors, log } = names;
  const wanted = tables.map((kind) => literal(prefix + kind)).join(", ");
  const index = (table: "records" | "locks" | "floors", column: string): string =>
    `CREATE INDEX IF NOT EXISTS ${quoted(names.plain(`${table}_${column}`), '"')} ON ${names[table]} (${column})`;
  return {
    backend: "sqlite",
    names,
    migrates: false,
    versions: [
      {
        tables,
        worksFor: 1,
        statements: [
          `CREATE TABLE IF NOT EXISTS ${meta} (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID`,
          // With rows apart from their keys: beside them, those of a kilobyte and more would take pages of their own.
          `CREATE TABLE IF NOT EXISTS ${records} (
  space TEXT NOT NULL,
  key TEXT NOT NULL,
  version TEXT NOT NULL,
  format INTEGER NOT NULL,
  value BLOB NOT NULL,
  expires_at INTEGER,
  stamps TEXT,
  data TEXT GENERATED ALWAYS AS (
    CASE WHEN format = 2 AND json_valid(CAST(value AS TEXT)) THEN CAST(value AS TEXT) END
  ) VIRTUAL,
  PRIMARY KEY (space, key)
) STRICT`,
          `${index("records", "expires_at")} WHERE expires_at IS NOT NULL`,
          `CREATE TABLE IF NOT EXISTS ${locks} (
  space TEXT NOT NULL,
  key TEXT NOT NULL,
  body TEXT NOT NULL,
  kept_until INTEGER NOT NULL,
  PRIMARY KEY (space, key)
) STRICT, WITHOUT ROWID`,
          index("locks", "kept_until"),
          `CREATE TABLE IF NOT EXISTS ${floors} (
  space TEXT NOT NULL,
  key TEXT NOT NULL,
  grant_no INTEGER NOT NULL,
  n INTEGER NOT NULL,
  kept_until INTEGER NOT NULL,
  PRIMARY KEY (space, key)
) STRICT, WITHOUT ROWID`,
          index("floors", "kept_until"),
          `CREATE TABLE IF NOT EXISTS ${log} (
  at INTEGER NOT NULL PRIMARY KEY,
  body TEXT NOT NULL
) STRICT`,
        ],
      },
    ],
    look: `SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN (${wanted}) UNION ALL SELECT NULL`,
    turn: [],
    keep: (name, value) => `INSERT INTO ${meta} (name, value) VALUES ('${name}', ${value}) ON CONFLICT DO NOTHING`,
    put: (name, value) =>
      `INSERT INTO ${meta} (name, value) VALUES ('${name}', '${value}') ` +
      `ON CONFLICT DO UPDATE SET value = CAST(max(CAST(value AS INTEGER), ${value}) AS TEXT)`,
  };
}
