import { lockMs } from "../sql/client.ts";
import type { SetRow } from "../sql/dialect.ts";
import type { TableNames } from "../sql/identifiers.ts";
import { bytesOf } from "../sql/values.ts";
import { bigintArray, bytesArray, smallintArray } from "./arrays.ts";
import { nameOf, namesOf } from "./keys.ts";
import { telling, tellingOne } from "./signals/telling.ts";
import type { PgStatement } from "./statement.ts";

/** Where a set gets its rows from, and its columns there. */
interface Source {
  readonly from: string;
  readonly columns: Readonly<
    Record<"space" | "key" | "version" | "format" | "value" | "ends" | "ttl" | "stamps", string>
  >;
}

const many: Source = {
  from:
    "unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::smallint[], $5::bytea[], $6::bigint[], $7::bigint[], " +
    "$8::bytea[]) u(space, key, version, format, value, ends, ttl, stamps)",
  columns: {
    space: "u.space",
    key: "u.key",
    version: "u.version",
    format: "u.format",
    value: "u.value",
    ends: "u.ends",
    ttl: "u.ttl",
    stamps: "u.stamps",
  },
};

const one: Source = {
  from: "",
  columns: {
    space: "$1::bytea",
    key: "$2::bytea",
    version: "$3::bytea",
    format: "$4::smallint",
    value: "$5::bytea",
    ends: "$6::bigint",
    ttl: "$7::bigint",
    stamps: "$8::bytea",
  },
};

/**
 * A transaction has the time that it waits for rows set when it begins. A statement that is one by itself sets it, and
 * reads that before any row of its own.
 */
const limit = `SELECT pg_catalog.set_config('lock_timeout', '${lockMs}ms', true)`;

/**
 * Writes records, whatever is there. `now` is the server's clock in ms, as an expression. In each text the rows come
 * in the order of their keys.
 */
export function setting(names: TableNames, now: string): (rows: readonly SetRow[]) => PgStatement {
  const writing = ({ from, columns: u }: Source, limited: boolean): string => {
    const sources = [...(limited ? ["limits"] : []), ...(from === "" ? [] : [from])];
    return (
      `INSERT INTO ${names.records} AS r (space, key, version, format, value, expires_at, stamps) ` +
      `SELECT ${u.space}, ${u.key}, ${u.version}, ${u.format}, ${u.value}, CASE WHEN ${u.ttl} IS NULL ` +
      `THEN ${u.ends} ELSE pg_catalog.ceil(${now} + ${u.ttl})::bigint END, ${u.stamps} ` +
      (sources.length > 0 ? `FROM ${sources.join(", ")} ` : "") +
      (from === "" ? "" : `ORDER BY ${u.space}, ${u.key} `) +
      "ON CONFLICT (space, key) DO UPDATE SET version = excluded.version, format = excluded.format, " +
      "value = excluded.value, expires_at = excluded.expires_at, stamps = excluded.stamps"
    );
  };
  const limits = `limits AS MATERIALIZED (${limit})`;
  const texts = {
    many: telling(names, writing(many, false)),
    one: tellingOne(names, writing(one, false)),
    manyAlone: telling(names, writing(many, true), limits),
    oneAlone: tellingOne(names, writing(one, true), limits),
  };
  return (rows) => ({
    text: texts.many,
    get values() {
      return arraysOf(rows);
    },
    get one() {
      return rows.length === 1 ? { text: texts.one, values: valuesOf(rows[0] as SetRow) } : undefined;
    },
    get alone() {
      if (rows.length === 1) return { text: texts.oneAlone, values: valuesOf(rows[0] as SetRow) };
      return { text: texts.manyAlone, values: arraysOf(rows) };
    },
  });
}

function arraysOf(rows: readonly SetRow[]): unknown[] {
  return [
    ...namesOf(rows.map(({ key }) => key)),
    bytesArray(rows.map(({ version }) => version)),
    smallintArray(rows.map(({ format }) => format)),
    bytesArray(rows.map(({ value }) => value)),
    bigintArray(rows.map(({ end }) => (end && "at" in end ? end.at : undefined))),
    bigintArray(rows.map(({ end }) => (end && "in" in end ? end.in : undefined))),
    bytesArray(rows.map(({ stamps }) => stamps)),
  ];
}

function valuesOf({ key, version, format, value, end, stamps }: SetRow): unknown[] {
  return [
    ...nameOf(key),
    Buffer.from(version),
    format,
    bytesOf(value),
    end && "at" in end ? end.at : null,
    end && "in" in end ? end.in : null,
    stamps === undefined ? null : Buffer.from(stamps),
  ];
}
