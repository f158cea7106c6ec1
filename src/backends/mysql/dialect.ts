import type { Key } from "../../base/keys.ts";
import type { Payload } from "../../port/index.ts";
import type { Reply } from "../sql/client.ts";
import {
  formats,
  type Clock,
  type Dialect,
  type FloorRow,
  type LockHow,
  type LockRow,
  type Range,
  type RecordRow,
  type SetRow,
  type Table,
} from "../sql/dialect.ts";
import type { TableNames } from "../sql/identifiers.ts";
import { isDeeper } from "../sql/values.ts";
import type { Server } from "./server.ts";
import {
  bytes,
  inserts,
  integer,
  listed,
  micros,
  named,
  plain,
  quoted,
  rowsOf,
  several,
  type MySqlStatement,
} from "./statement.ts";
import { mysqlSweep } from "./sweep.ts";

/*
 * No statement waits for a row that somebody has locked, for its neighbours would wait with it, and InnoDB counts such
 * waits in whole seconds.
 *
 * - Rows are locked with SKIP LOCKED, or with NOWAIT where nobody wants to go on without them, before anything is
 *   written to them. What a transaction writes after that, it has locked.
 * - An insert waits for a row under its key that another transaction has inserted and not committed, which no reader
 *   sees. MariaDB can be told not to wait. On MySQL each key that has no row is looked for once more, by a locking read
 *   with NOWAIT, which does find it (MariaDB reads it sooner than it is asked to). Only what is inserted between this
 *   look and the insert, within one statement, is waited for: until the other transaction ends, which is its next trip,
 *   and for a second at most.
 *   (INSERT IGNORE is no way: on a row that is there it takes a shared lock, and two of them a deadlock.)
 * - A write that looks at nothing is ONE trip. On MariaDB its insert waits for nothing; on MySQL its rows are locked
 *   with NOWAIT first. If one is locked by others, nothing is written, and the shared code takes the longer way.
 *
 * Only rows that are named may be touched: a plan that scans a table, an index or a space would meet the locks of
 * others. So keys stand in a derived table, which is read first (STRAIGHT_JOIN), and each row is looked up by its whole
 * primary key (FORCE INDEX), a single one by two equations. `key IN (...)` is not enough, for a server may take all
 * rows of the space instead.
 *
 * `key` and `body` are words of SQL, the second one in the sql_mode ORACLE.
 */

/** Which table has what, beside space and key. */
const empties: Readonly<Record<Table, { readonly columns: string; readonly values: string }>> = {
  records: { columns: "version, format, value", values: `X'', ${formats.nothing}, X''` },
  locks: { columns: "`body`, grant_no, kept_until", values: "X'', 0, 0" },
  floors: { columns: "grant_no, n, kept_until", values: "0, 0, 0" },
};

const isLive = (row: string): string => `(${row}.expires_at IS NULL OR ${row}.expires_at > ${micros} DIV 1000)`;

/** Of UTF-8, no byte is as high. */
const behindAll = Buffer.from([0xff]);
/** What makes a statement of MariaDB wait for no row. */
export const hasty = "SET STATEMENT innodb_lock_wait_timeout = 0 FOR ";

/**
 * How deep MySQL lets a JSON text be nested: a column that an application computes of it would fail the write. MariaDB
 * leaves deeper ones out of such a column by itself.
 */
const mostNested = 100;

/** MySQL and MariaDB. Its tables are those of `migrations.ts`. `server` tells which of them it is, once it is open. */
export function mysqlDialect(names: TableNames, server: () => Server): Dialect {
  const { records, locks, floors, meta } = names;
  const tables: Readonly<Record<Table, string>> = { records, locks, floors };

  const clock = `${micros}, (SELECT value FROM ${meta} WHERE name = 'forgotten')`;

  /** An insert that does not wait where it need not. */
  const inserting = (): string => `${server().isMariaDb ? hasty : ""}INSERT INTO`;

  const insertMissing = (table: Table, keys: readonly Key[], patient = false): MySqlStatement => {
    const { columns, values } = empties[table];
    if (patient) {
      // A row that is there is locked for a write, as is one that comes: nothing is locked between rows, whatever the
      // isolation level, so that two who insert do not wait for each other.
      return several(
        `INSERT INTO ${tables[table]} (space, \`key\`, ${columns}) VALUES `,
        keys.map((key) => `${named(key)}, ${values}`),
        " ON DUPLICATE KEY UPDATE space = VALUES(space)",
      );
    }
    const there = `SELECT 1 FROM ${tables[table]} AS r WHERE r.space = u.s AND r.\`key\` = u.k`;
    const isMissing = server().isMariaDb
      ? `(NOT EXISTS (${there}))`
      : `CASE WHEN EXISTS (${there}) THEN FALSE ELSE (NOT EXISTS (${there} FOR UPDATE NOWAIT)) END`;
    return plain(
      `${inserting()} ${tables[table]} (space, \`key\`, ${columns}) SELECT u.s, u.k, ${values} ` +
        `FROM ${listed(keys)} WHERE ${isMissing} ORDER BY u.s, u.k`,
    );
  };

  const lock = (table: Table, keys: readonly Key[], { mode, skip, patient, values }: LockHow): MySqlStatement => {
    const columns = table === "records" ? `${recordColumns(values)}, NULL AS is_current` : lockColumns[table];
    const share = server().isMariaDb ? "LOCK IN SHARE MODE" : "FOR SHARE";
    // No lock goes beside another one and keeps off those who change more.
    const how = { write: "FOR UPDATE", renew: "FOR UPDATE", read: share, hold: share, none: "" }[mode];
    const others = mode === "none" || patient ? "" : skip ? "SKIP LOCKED" : "NOWAIT";
    return plain(`SELECT ${columns} FROM ${rowsOf(tables[table], keys)} ${whole(keys)} ${how} ${others}`);
  };

  const isCurrent =
    "r.stamps IS NULL OR (NOT EXISTS (SELECT 1 FROM JSON_TABLE(CONVERT(r.stamps USING utf8mb4), '$[*]' COLUMNS (" +
    "s VARCHAR(1042) CHARACTER SET ascii PATH '$[0]', k VARCHAR(2048) CHARACTER SET ascii PATH '$[1]', " +
    "v VARCHAR(510) CHARACTER SET ascii PATH '$[2]')) AS s WHERE (NOT EXISTS (" +
    `SELECT 1 FROM ${records} AS t WHERE t.space = UNHEX(s.s) AND t.\`key\` = UNHEX(s.k) ` +
    `AND t.version = UNHEX(s.v) AND t.format < ${formats.nothing} AND ${isLive("t")}))))`;

  const setting = (rows: readonly SetRow[], literal: Literal): readonly string[] =>
    inserts(
      `${inserting()} ${records} (space, \`key\`, version, format, value, expires_at, stamps) VALUES `,
      rows.map((row) => setRow(row, literal)),
      " ON DUPLICATE KEY UPDATE version = VALUES(version), format = VALUES(format), value = VALUES(value), " +
        "expires_at = VALUES(expires_at), stamps = VALUES(stamps)",
    );
  const set = (rows: readonly SetRow[]): MySqlStatement => ({
    text: "",
    values: [],
    get parts() {
      return setting(rows, bytes);
    },
    alone(own) {
      const insert = setting(rows, own ? quoted : bytes);
      // MariaDB's insert waits for nothing.
      if (server().isMariaDb) return insert;
      return [`SELECT COUNT(*) FROM ${rowsOf(records, keysOf(rows))} FOR UPDATE NOWAIT`, ...insert];
    },
  });

  const inRange = ({ space, prefix, after }: Range): string => {
    const first = after === undefined ? prefix : `${after}\0`;
    const last = Buffer.concat([Buffer.from(prefix), behindAll]);
    return `r.space = ${bytes(space.id)} AND r.\`key\` >= ${bytes(first)} AND r.\`key\` < ${bytes(last)}`;
  };
  const inOrder = ({ limit }: Range): string => `ORDER BY r.\`key\` LIMIT ${integer(limit)}`;

  return {
    name: "mysql",
    stamps: "atomic",
    get: (keys, { values, current }) =>
      plain(
        `SELECT ${recordColumns(values)}, ${current ? `(${isCurrent})` : "NULL"} AS is_current ` +
          `FROM ${rowsOf(records, keys)} AND r.format < ${formats.nothing} AND ${isLive("r")} ${whole(keys)}`,
      ),
    insertMissing,
    lock,
    look: (keys) => plain(`SELECT ${lockColumns.locks}, ${clock} FROM ${rowsOf(locks, keys)} ${whole(keys)}`),
    clock: () => plain(`SELECT ${clock}`),
    set,
    touch: (rows) =>
      // An update may read rows that are not named; this one has them already.
      several(
        `INSERT INTO ${records} (space, \`key\`, version, format, value, expires_at) VALUES `,
        rows.map(({ key, end }) => `${named(key)}, X'', ${formats.nothing}, X'', ${endText(end)}`),
        " ON DUPLICATE KEY UPDATE expires_at = VALUES(expires_at)",
      ),
    setLocks: (rows) =>
      several(
        `INSERT INTO ${locks} (space, \`key\`, \`body\`, grant_no, kept_until) VALUES `,
        rows.map((row) => `${named(row.key)}, ${bytes(row.body)}, ${integer(row.grant)}, ${integer(row.keptUntil)}`),
        " ON DUPLICATE KEY UPDATE `body` = VALUES(`body`), grant_no = VALUES(grant_no), " +
          "kept_until = VALUES(kept_until)",
      ),
    setFloors: (rows) =>
      several(
        `INSERT INTO ${floors} (space, \`key\`, grant_no, n, kept_until) VALUES `,
        rows.map((row) => `${named(row.key)}, ${integer(row.grant)}, ${integer(row.n)}, ${integer(row.keptUntil)}`),
        " ON DUPLICATE KEY UPDATE grant_no = VALUES(grant_no), n = VALUES(n), kept_until = VALUES(kept_until)",
      ),
    remove: (table, keys) => plain(`DELETE r FROM ${rowsOf(tables[table], keys)}`),
    page: (range, values) =>
      plain(
        `SELECT ${recordColumns(values)}, NULL FROM ${records} AS r WHERE ${inRange(range)} ` +
          `AND r.format < ${formats.nothing} AND ${isLive("r")} ${inOrder(range)}`,
      ),
    pageLocks: (range) =>
      plain(`SELECT ${lockColumns.locks} FROM ${locks} AS r WHERE ${inRange(range)} ${inOrder(range)}`),
    ...mysqlSweep(names),
    records: ({ rows }) => rows.map((row) => recordOf(row as Columns)),
    locks: ({ rows }) => rows.map((row): LockRow => ({ id: idOf(row as Columns), body: String(row[2]) })),
    floors: ({ rows }) => rows.map((row) => floorOf(row as Columns)),
    time: ({ rows: [row] }: Reply): Clock => ({ micros: Number(row?.[0]), forgotten: Number(row?.[1] ?? 0) }),
  };
}

/** Columns as the server sends them: numbers as digits. */
type Columns = readonly (Buffer | null)[];

const recordColumns = (values: boolean): string =>
  `r.space, r.\`key\`, r.format, r.version, ${values ? "r.value" : "NULL"}, r.expires_at, r.stamps`;
const lockColumns = {
  locks: "r.space, r.`key`, r.`body`",
  floors: "r.space, r.`key`, r.grant_no, r.n, r.kept_until",
};

function keysOf(rows: readonly { readonly key: Key }[]): readonly Key[] {
  return rows.map(({ key }) => key);
}

/** Has all rows of keys come, whatever sql_select_limit is. */
function whole(keys: readonly Key[]): string {
  return `LIMIT ${keys.length}`;
}

/** How bytes stand in a statement. */
type Literal = typeof bytes;

function setRow({ key, version, format, value, end, stamps }: SetRow, literal: Literal): string {
  const ends =
    end === undefined ? "NULL" : "at" in end ? integer(end.at) : `(${micros} + 999) DIV 1000 + ${integer(end.in)}`;
  const kept = format === formats.json && isDeeper(value as string, mostNested) ? formats.text : format;
  const borne = stamps === undefined ? "NULL" : bytes(stamps);
  return `${named(key)}, ${bytes(version)}, ${kept}, ${literal(value)}, ${ends}, ${borne}`;
}

function endText(end: number): string {
  return end === Infinity ? "NULL" : integer(end);
}

function recordOf(row: Columns): RecordRow {
  const [, , format, version, value, end, stamps, isCurrent] = row;
  const kind = Number(format);
  return {
    id: idOf(row),
    isEmpty: kind === formats.nothing,
    version: String(version),
    value: value ? valueOf(kind, value) : "",
    end: end ? Number(end) : Infinity,
    stamps: stamps ? String(stamps) : undefined,
    isCurrent: isCurrent ? Number(isCurrent) === 1 : undefined,
  };
}

function valueOf(format: number, value: Buffer): Payload {
  return format === formats.bytes ? new Uint8Array(value) : value.toString();
}

function floorOf(row: Columns): FloorRow {
  return { id: idOf(row), grant: Number(row[2]), n: Number(row[3]), until: Number(row[4]) };
}

function idOf([space, key]: Columns): string {
  return `${String(space)}${String(key)}`;
}
