import type { Dialect, Noted, Removed } from "../sql/dialect.ts";
import { literal, type TableNames } from "../sql/identifiers.ts";
import { integer, joined, micros, plain } from "./statement.ts";

/** What a sweep asks for. */
export function mysqlSweep(
  names: TableNames,
): Pick<Dialect, "swept" | "sweep" | "removed" | "note" | "swapNote" | "noted"> {
  const { meta } = names;
  return {
    swept: ["records", "floors", "locks"],
    sweep(table, most, from) {
      if (table === "watchers") throw new Error("nobody is registered here");
      const end = table === "records" ? "expires_at" : "kept_until";
      const over =
        `FROM ${names[table]} FORCE INDEX (${end}) ` +
        `WHERE ${end} <= ${micros} DIV 1000 AND ${end} >= ${integer(from)}`;
      const oldest = `ORDER BY ${end} LIMIT ${integer(most)}`;
      const forgotten = `(SELECT CAST(m.value AS SIGNED) FROM ${meta} AS m WHERE m.name = 'forgotten')`;
      const mayGo = table === "locks" ? ` AND grant_no <= ${forgotten}` : "";
      const text =
        `DELETE r FROM (SELECT space AS s, \`key\` AS k ${over}${mayGo} ${oldest} FOR UPDATE SKIP LOCKED) AS u ` +
        joined(names[table]);
      if (table !== "locks") return plain(text);
      // No more goes than what this has counted.
      const raise =
        `INSERT INTO ${meta} (name, value) SELECT 'forgotten', x.g FROM (SELECT MAX(g.grant_no) AS g FROM ` +
        `(SELECT grant_no ${over} ${oldest}) AS g) AS x WHERE x.g IS NOT NULL ` +
        "ON DUPLICATE KEY UPDATE value = GREATEST(CAST(value AS SIGNED), CAST(VALUES(value) AS SIGNED))";
      return { text: "", values: [], parts: [raise, text] };
    },
    // Where the last one ended is not told: it is gone.
    removed: ({ changed }): Removed => ({ count: changed, last: undefined }),
    note: (name) => plain(`SELECT ${micros}, (SELECT value FROM ${meta} WHERE name = ${literal(name)})`),
    swapNote: (name, before, value) =>
      plain(
        before === undefined
          ? `INSERT IGNORE INTO ${meta} (name, value) VALUES (${literal(name)}, ${literal(value)})`
          : `UPDATE ${meta} SET value = ${literal(value)} WHERE name = ${literal(name)} AND value = ${literal(before)}`,
      ),
    noted({ rows: [row] }): Noted {
      const [now, value] = row as readonly [unknown, Buffer | null];
      return { micros: Number(now), value: value === null ? undefined : value.toString() };
    },
  };
}
