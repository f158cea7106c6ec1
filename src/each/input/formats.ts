import { parseCsvRecord } from "./csv.ts";
import { parseExact, type BigIntegers } from "./numbers.ts";
import { lines, rows, type Cut } from "./records.ts";

/** How the records of an input are written down. */
export type FormatName = "jsonl" | "csv";

/** What a record turned out to be. */
export type Parsed = { readonly ok: true; readonly item: unknown } | { readonly ok: false; readonly fault: string };

/** How an input is cut into records, and a record into an item. */
export interface Format extends Cut {
  /** A fresh item each time: a handler may change what it gets. */
  parse(text: string | undefined): Parsed;
}

const notUtf8: Parsed = { ok: false, fault: "the record is not valid UTF-8" };
// The parser's message quotes the text, and dead letters hold no values of items.
const notJson: Parsed = { ok: false, fault: "the line is not valid JSON" };

/** One JSON value a line. Without `big` the numbers of the input are known to fit. */
export function jsonl(big?: BigIntegers): Format {
  const read = big === undefined ? JSON.parse : (text: string): unknown => parseExact(text, big);
  return {
    ...lines,
    parse(text) {
      if (text === undefined) return notUtf8;
      try {
        return { ok: true, item: read(text) as unknown };
      } catch {
        return notJson;
      }
    },
  };
}

/** Rows under a header, whose names are `columns`. All values are strings. */
export function csv(columns: readonly string[], delimiter = ","): Format {
  return {
    ...rows(delimiter),
    parse(text) {
      if (text === undefined) return notUtf8;
      const row = parseCsvRecord(text, delimiter);
      if (typeof row === "string") return { ok: false, fault: row };
      if (row.length !== columns.length) {
        const height = text.split("\n").length;
        const swallowed = height > 1 ? `; it spans ${height} lines: is a quote not closed?` : "";
        const fault = `the row has ${row.length} fields, the header has ${columns.length}${swallowed}`;
        return { ok: false, fault };
      }
      return { ok: true, item: Object.fromEntries(columns.map((name, i) => [name, row[i]])) };
    },
  };
}
