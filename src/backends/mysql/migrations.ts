import { tableNames, type TableKind, type TableNames } from "../sql/identifiers.ts";
import type { TablePlan } from "../sql/migrations.ts";

const tables = ["meta", "records", "locks", "floors"] as const;

/**
 * The tables on MySQL and MariaDB. Whatever the server's default of engine, row format and character set, these are
 * transactional, take our keys, and compare bytes. All names are qualified, so it does not matter which database an
 * application's own connection is in. Each statement commits by itself and may be run by many at once. No column is
 * computed from the value: the servers compute even one that is not stored for every row that they write, and JSON
 * takes them longer than all the rest of the write.
 */
export function mysqlTables(database: string, prefix: string): TablePlan {
  const names = tableNames("`", prefix, database);
  const { meta, records, locks, floors } = names;
  const shape = "ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
  const insert = (name: string, value: string | number): string =>
    `INSERT INTO ${meta} (\`name\`, \`value\`) VALUES ('${name}', ${value}) ON DUPLICATE KEY UPDATE`;
  return {
    backend: "mysql",
    names,
    migrates: true,
    versions: [
      {
        tables,
        worksFor: 1,
        statements: [
          `CREATE TABLE IF NOT EXISTS ${meta} (
  \`name\` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  \`value\` TEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (\`name\`)
) ${shape}`,
          `CREATE TABLE IF NOT EXISTS ${records} (
  \`space\` VARBINARY(521) NOT NULL,
  \`key\` VARBINARY(1024) NOT NULL,
  \`version\` VARBINARY(255) NOT NULL,
  \`format\` TINYINT NOT NULL,
  \`value\` LONGBLOB NOT NULL,
  \`expires_at\` BIGINT,
  \`stamps\` LONGBLOB,
  PRIMARY KEY (\`space\`, \`key\`),
  KEY \`expires_at\` (\`expires_at\`)
) ${shape}`,
          `CREATE TABLE IF NOT EXISTS ${locks} (
  \`space\` VARBINARY(521) NOT NULL,
  \`key\` VARBINARY(1024) NOT NULL,
  \`body\` LONGBLOB NOT NULL,
  \`grant_no\` BIGINT NOT NULL,
  \`kept_until\` BIGINT NOT NULL,
  PRIMARY KEY (\`space\`, \`key\`),
  KEY \`kept_until\` (\`kept_until\`)
) ${shape}`,
          `CREATE TABLE IF NOT EXISTS ${floors} (
  \`space\` VARBINARY(521) NOT NULL,
  \`key\` VARBINARY(1024) NOT NULL,
  \`grant_no\` BIGINT NOT NULL,
  \`n\` INT NOT NULL,
  \`kept_until\` BIGINT NOT NULL,
  PRIMARY KEY (\`space\`, \`key\`),
  KEY \`kept_until\` (\`kept_until\`)
) ${shape}`,
        ],
      },
    ],
    // Names as constants, so that the server opens these tables alone: to look through all tables of a database, while
    // somebody drops one, has crashed MariaDB 10.11.
    look:
      `SELECT NULL FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${constant(database)}` +
      tables.map((kind) => ` UNION ALL SELECT TABLE_NAME ${tableRow(names, kind)}`).join("") +
      ` LIMIT ${tables.length + 1}`,
    turn: [],
    keep: (name, value) => `${insert(name, value)} \`value\` = \`value\``,
    // Never lower: a process with newer code may have been quicker.
    put: (name, value) => `${insert(name, value)} \`value\` = GREATEST(CAST(\`value\` AS UNSIGNED), ${value})`,
  };
}

/** The row of one of our tables in the server's catalog, if it is one with transactions, as the end of a query. */
export function tableRow({ schema = "", plain }: TableNames, kind: TableKind): string {
  const place = `TABLE_SCHEMA = ${constant(schema)} AND TABLE_NAME = ${constant(plain(kind))}`;
  return `FROM information_schema.TABLES WHERE ${place} AND ENGINE = 'InnoDB'`;
}

/** A string that means the same under every sql_mode and character set. Names of databases may hold what they like. */
function constant(text: string): string {
  return /^[\w$-]*$/.test(text) ? `'${text}'` : `_utf8mb4 x'${Buffer.from(text).toString("hex")}'`;
}
