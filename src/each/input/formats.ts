import { parseCsvRecord } from "./csv.ts";
import { csvEnd, lineEnd, type FindEnd } from "./records.ts";

/** What a record turned out to be. */
export type Parsed = { readonly ok: true; readonly item: unknown } | { readonly ok: false; readonly fault: string };

/** How an input is cut into records, and a record into an item. */
export interface Format {
  readonly findEnd: FindEnd;
  /** A fresh item each time: a handler may change what it gets. */
  parse(text: string | undefined): Parsed;
}

const notUtf8: Parsed = { ok: false, fault: "the record is not valid UTF-8" };

/** One JSON value a line. */
export const jsonl: Format = {
  findEnd: lineEnd,
  parse(text) {
    if (text === undefined) return notUtf8;
    try {
      return { ok: true, item: JSON.parse(text) as unknown };
    } catch {
      // The parser's message quotes the text, and dead letters hold no values of items.
      return { ok: false, fault: "the line is not valid JSON" };
    }
  },
};

/** Rows under a header, whose names are `columns`. All values are strings. */
export function csv(columns: readonly string[]): Format {
  return {
    findEnd: csvEnd,
    parse(text) {
      if (text === undefined) return notUtf8;
      const row = parseCsvRecord(text);
      if (typeof row === "string") return { ok: false, fault: row };
      if (row.length !== columns.length) {
        return { ok: false, fault: `the row has ${row.length} fields, the header has ${columns.length}` };
      }
      return { ok: true, item: Object.fromEntries(columns.map((name, i) => [name, row[i]])) };
    },
  };
}
