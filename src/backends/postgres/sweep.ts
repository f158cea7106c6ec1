import type { Dialect, Noted, Removed, Swept } from "../sql/dialect.ts";
import type { TableNames } from "../sql/identifiers.ts";
import { telling } from "./signals/telling.ts";

// Functions by their full names, as in the dialect.
const micros = "(extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::bigint";

/** What a sweep asks for. */
export function postgresSweep(
  names: TableNames,
): Pick<Dialect, "swept" | "sweep" | "removed" | "note" | "swapNote" | "noted"> {
  const { records, locks, floors, watchers, meta } = names;
  // An index serves a comparison with a moment that is asked for once, and of its own type.
  const now = `(SELECT pg_catalog.floor(${micros} / 1000)::bigint)`;
  const over = (table: string, end: string): string =>
    `DELETE FROM ${table} r WHERE r.ctid = ANY (ARRAY(SELECT ctid FROM ${table} ` +
    `WHERE ${end} <= ${now} AND ${end} >= $2 ORDER BY ${end} LIMIT $1 FOR UPDATE SKIP LOCKED))`;
  const gone = (table: string, end: string, more = ""): string =>
    `WITH gone AS (${over(table, end)} RETURNING r.*)${more} ` +
    `SELECT pg_catalog.count(*), pg_catalog.max(${end}) FROM gone`;
  const forgotten =
    `, forgotten AS (INSERT INTO ${meta} AS m (name, value) ` +
    "SELECT 'forgotten', pg_catalog.max(grant_no)::text FROM gone HAVING pg_catalog.count(*) > 0 " +
    "ON CONFLICT (name) DO UPDATE SET value = greatest(m.value::bigint, excluded.value::bigint)::text)";
  const sweeps: Readonly<Record<Swept, string>> = {
    records: telling(names, over(records, "expires_at")),
    floors: gone(floors, "kept_until"),
    locks: gone(locks, "kept_until", forgotten),
    watchers: gone(watchers, "until"),
  };
  const note = `SELECT ${micros}, (SELECT value FROM ${meta} WHERE name = $1)`;
  const addNote = `INSERT INTO ${meta} (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`;
  const changeNote = `UPDATE ${meta} SET value = $2 WHERE name = $1 AND value = $3`;
  return {
    swept: ["records", "floors", "locks", "watchers"],
    sweep: (table, most, from) => ({ text: sweeps[table], values: [most, from] }),
    removed: ({ rows: [row] }): Removed => ({
      count: Number(row?.[0]),
      last: (row?.[1] as number | null) ?? undefined,
    }),
    note: (name) => ({ text: note, values: [name] }),
    swapNote: (name, before, value) =>
      before === undefined
        ? { text: addNote, values: [name, value] }
        : { text: changeNote, values: [name, value, before] },
    noted: ({ rows: [row] }): Noted => ({ micros: Number(row?.[0]), value: (row?.[1] as string | null) ?? undefined }),
  };
}
