import type { Key } from "../../base/keys.ts";
import type { Payload } from "../../port/index.ts";
import {
  formats,
  type Clock,
  type Dialect,
  type FloorRow,
  type LockHow,
  type LockRow,
  type Range,
  type RecordRow,
  type Table,
} from "../sql/dialect.ts";
import type { TableNames } from "../sql/identifiers.ts";
import { bigintArray, textArray } from "./arrays.ts";
import { nameOf, namesOf } from "./keys.ts";
import { setting } from "./sets.ts";
import { telling } from "./signals/telling.ts";
import type { PgStatement } from "./statement.ts";
import { postgresSweep } from "./sweep.ts";

/** How the server locks a row; those that `renew` one and those that `hold` it are not in each other's way. */
const strengths = { write: "UPDATE", renew: "NO KEY UPDATE", read: "SHARE", hold: "KEY SHARE" } as const;

/** Of UTF-8, no byte is as high. */
const behindAll = Buffer.from([0xff]);

/** Postgres, from version 12. Its tables are those of `migrations.ts`. */
export function postgresDialect(names: TableNames): Dialect {
  const { records, locks, floors, meta } = names;
  const tables: Readonly<Record<Table, string>> = { records, locks, floors };
  // A moment in microseconds, of the call and not of the statement or transaction, as an integer: no time zone matters.
  const micros = "(extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::bigint";
  const now = "(extract(epoch from pg_catalog.clock_timestamp()) * 1000)";
  const isLive = (row: string): string => `(${row}.expires_at IS NULL OR ${row}.expires_at > ${now})`;

  // Functions by their full names: a schema ahead on the search path may have others so called.
  const utf8 = (bytes: string): string => `pg_catalog.convert_from(${bytes}, 'UTF8')`;
  const ascii = (bytes: string): string => `pg_catalog.encode(${bytes}, 'escape')`;
  const unhex = (digits: string): string => `pg_catalog.decode(${digits}, 'hex')`;

  // Text comes as text, but for one with a NUL, which the server's type for text does not take.
  const isPlain = `r.format = 2 OR r.format = 1 AND position(${unhex("'00'")} IN r.value) = 0`;
  const text = `CASE WHEN ${isPlain} THEN ${utf8("r.value")} END`;
  const bytes = `CASE WHEN NOT (${isPlain}) AND r.format < 3 THEN pg_catalog.encode(r.value, 'base64') END`;
  // An application's driver gives rows by the names of their columns.
  const named = `${ascii("r.space")} AS space_, ${ascii("r.key")} AS key_`;
  const columnsOf = (values: boolean): string =>
    `${named}, r.format, ${ascii("r.version")} AS version_, ${values ? text : "NULL"} AS text_, ` +
    `${values ? bytes : "NULL"} AS bytes_, r.expires_at, ${utf8("r.stamps")} AS stamps_`;
  const isCurrent =
    `(r.stamps IS NULL OR NOT EXISTS (SELECT FROM pg_catalog.json_array_elements(${utf8("r.stamps")}::json) s ` +
    `WHERE NOT EXISTS (SELECT FROM ${records} t WHERE t.space = ${unhex("s->>0")} AND t.key = ${unhex("s->>1")} ` +
    `AND t.version = ${unhex("s->>2")} AND ${isLive("t")})))`;
  const told = (table: Table, writing: string): string => (table === "records" ? telling(names, writing) : writing);
  const asked = "unnest($1::bytea[], $2::bytea[]) u(space, key)";
  const same = "r.space = u.space AND r.key = u.key";

  const getText = (values: boolean, current: boolean, rows: string): string => {
    const looked = current ? isCurrent : "NULL::boolean";
    return `SELECT ${columnsOf(values)}, ${looked} AS is_current FROM ${rows} AND ${isLive("r")}`;
  };
  const getTexts = (values: boolean, current: boolean) => ({
    many: getText(values, current, `${asked} JOIN ${records} r ON ${same} WHERE true`),
    one: getText(values, current, `${records} r WHERE r.space = $1::bytea AND r.key = $2::bytea`),
  });
  const gets = {
    with: { plain: getTexts(true, false), current: getTexts(true, true) },
    without: { plain: getTexts(false, false), current: getTexts(false, true) },
  };
  const get: Dialect["get"] = (keys, { values, current }): PgStatement => {
    const { many, one } = gets[values ? "with" : "without"][current ? "current" : "plain"];
    return {
      text: many,
      get values() {
        return namesOf(keys);
      },
      one: keys.length === 1 ? { text: one, values: nameOf(keys[0] as Key) } : undefined,
    };
  };

  const missing = (table: Table, columns: string, values: string): string =>
    `INSERT INTO ${tables[table]} (space, key, ${columns}) SELECT u.space, u.key, ${values} FROM ${asked} ` +
    `WHERE NOT EXISTS (SELECT FROM ${tables[table]} r WHERE ${same}) ORDER BY u.space, u.key ON CONFLICT DO NOTHING`;
  const inserts: Readonly<Record<Table, string>> = {
    records: missing("records", "version, format, value", `'', ${formats.nothing}, ''`),
    locks: missing("locks", "body, grant_no, kept_until", "'', 0, 0"),
    floors: missing("floors", "grant_no, n, kept_until", "0, 0, 0"),
  };
  const lockColumns = { locks: `${named}, r.body`, floors: `${named}, r.grant_no, r.n, r.kept_until` };
  const lockText = (table: Table, { mode, skip, values }: LockHow): string =>
    `SELECT ${table === "records" ? columnsOf(values) : lockColumns[table]} ` +
    `FROM ${asked} JOIN ${tables[table]} r ON ${same} ORDER BY r.space, r.key ` +
    (mode === "none" ? "" : `FOR ${strengths[mode]} OF r${skip ? " SKIP LOCKED" : ""}`);

  const set = setting(names, now);
  const touch =
    `UPDATE ${records} r SET expires_at = u.ends ` +
    `FROM unnest($1::bytea[], $2::bytea[], $3::bigint[]) u(space, key, ends) WHERE ${same}`;
  const setLocks =
    `UPDATE ${locks} r SET body = u.body, grant_no = u.grant_no, kept_until = u.kept FROM unnest($1::bytea[], ` +
    `$2::bytea[], $3::text[], $4::bigint[], $5::bigint[]) u(space, key, body, grant_no, kept) WHERE ${same}`;
  const setFloors =
    `UPDATE ${floors} r SET grant_no = u.grant_no, n = u.n, kept_until = u.kept FROM unnest($1::bytea[], ` +
    `$2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[]) u(space, key, grant_no, n, kept) WHERE ${same}`;
  const removes = (table: Table): string => told(table, `DELETE FROM ${tables[table]} r USING ${asked} WHERE ${same}`);
  const clock = `SELECT ${micros} AS micros, (SELECT value FROM ${meta} WHERE name = 'forgotten') AS forgotten`;

  const inRange = "r.space = $1 AND r.key >= $2 AND r.key < $3";
  const pageText = (values: boolean): string =>
    `SELECT ${columnsOf(values)} FROM ${records} r WHERE ${inRange} AND ${isLive("r")} ORDER BY r.key LIMIT $4`;
  const pages = { with: pageText(true), without: pageText(false) };
  const pageLocks = `SELECT ${named}, r.body FROM ${locks} r WHERE ${inRange} ORDER BY r.key LIMIT $4`;

  return {
    name: "postgres",
    stamps: "atomic",
    get,
    insertMissing: (table, keys) => ({ text: inserts[table], values: namesOf(keys) }),
    lock: (table, keys, how) => ({ text: lockText(table, how), values: namesOf(keys) }),
    clock: () => ({ text: clock, values: [] }),
    set,
    touch: (rows) => ({
      text: touch,
      values: [
        ...namesOf(rows.map(({ key }) => key)),
        bigintArray(rows.map(({ end }) => (end === Infinity ? undefined : end))),
      ],
    }),
    setLocks: (rows) => ({
      text: setLocks,
      values: [
        ...namesOf(rows.map(({ key }) => key)),
        textArray(rows.map(({ body }) => body)),
        bigintArray(rows.map(({ grant }) => grant)),
        bigintArray(rows.map(({ keptUntil }) => keptUntil)),
      ],
    }),
    setFloors: (rows) => ({
      text: setFloors,
      values: [
        ...namesOf(rows.map(({ key }) => key)),
        bigintArray(rows.map(({ grant }) => grant)),
        bigintArray(rows.map(({ n }) => n)),
        bigintArray(rows.map(({ keptUntil }) => keptUntil)),
      ],
    }),
    remove: (table, keys) => ({ text: removes(table), values: namesOf(keys) }),
    page: (range, values) => ({ text: values ? pages.with : pages.without, values: rangeOf(range) }),
    pageLocks: (range) => ({ text: pageLocks, values: rangeOf(range) }),
    ...postgresSweep(names),
    records: ({ rows }) => rows.map(recordOf),
    locks: ({ rows }) => rows.map((row): LockRow => ({ id: idOf(row), body: row[2] as string })),
    floors: ({ rows }) => rows.map(floorOf),
    time: ({ rows: [row] }): Clock => ({ micros: Number(row?.[0]), forgotten: Number(row?.[1] ?? 0) }),
  };
}

function rangeOf({ space, prefix, after, limit }: Range): unknown[] {
  const first = after === undefined ? prefix : `${after}\0`;
  return [Buffer.from(space.id), Buffer.from(first), Buffer.concat([Buffer.from(prefix), behindAll]), limit];
}

function recordOf(row: readonly unknown[]): RecordRow {
  const [, , format, version, text, bytes, end, stamps, isCurrent] = row;
  return {
    id: idOf(row),
    isEmpty: format === formats.nothing,
    version: unescaped(version as string),
    value: valueOf(format as number, text as string | null, bytes as string | null),
    end: end === null ? Infinity : Number(end),
    stamps: (stamps as string | null) ?? undefined,
    isCurrent: (isCurrent as boolean | null) ?? undefined,
  };
}

function valueOf(format: number, text: string | null, base64: string | null): Payload {
  if (text !== null) return text;
  if (base64 === null) return "";
  const bytes = Buffer.from(base64, "base64");
  return format === formats.bytes ? new Uint8Array(bytes) : bytes.toString();
}

function floorOf(row: readonly unknown[]): FloorRow {
  return { id: idOf(row), grant: Number(row[2]), n: Number(row[3]), until: Number(row[4]) };
}

function idOf(row: readonly unknown[]): string {
  return unescaped(row[0] as string) + unescaped(row[1] as string);
}

/** Undoes the server's `escape` of UTF-8: a backslash is doubled, or stands before three octal digits of a byte. */
function unescaped(text: string): string {
  if (!text.includes("\\")) return text;
  const bytes = text.replaceAll(/\\(\\|[0-7]{3})/g, (_, code: string) =>
    code === "\\" ? code : String.fromCharCode(Number.parseInt(code, 8)),
  );
  return Buffer.from(bytes, "latin1").toString();
}
