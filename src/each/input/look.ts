import { isHoldfastError } from "../../base/errors.ts";
import { keyOf } from "../key.ts";
import type { Expected } from "./check.ts";
import { parseCsvRecord } from "./csv.ts";
import type { Parsed } from "./formats.ts";
import { InputError, shown, type Place } from "./input-error.ts";
import { RecordReader } from "./reader.ts";
import type { RawRecord } from "./records.ts";
import { lineAt, type Header, type Opening } from "./source.ts";

/** How many records are looked at before a job is made: what none of them has will hardly come later. */
const mostRecords = 1_000;
/** Rows by which it is seen what parts their fields. */
const mostRows = 20;
const delimiters = [",", ";", "\t", "|"];
/** Most names that a message lists. */
const mostNames = 12;

/** What was said about an input, and what is expected of it. */
export interface Said extends Expected {
  readonly key: string | undefined;
  /** The delimiter was given, so the input is not looked at for another one. */
  readonly delimiterGiven: boolean;
}

interface Looked {
  readonly record: RawRecord;
  readonly parsed: Parsed;
}

/**
 * The first records of an input, at most so many. Where one is too long to be held, those before it: that is said with
 * its place when the whole input is looked at.
 */
export async function firstRecords(opening: Opening, size: number, most: number): Promise<Looked[]> {
  const reader = new RecordReader(opening.file, size, opening.format, opening.first);
  const found: Looked[] = [];
  try {
    for (let end = false; !end && found.length < most;) {
      const block = await reader.read();
      end = block.end;
      for (const record of block.records.slice(0, most - found.length))
        found.push({ record, parsed: opening.format.parse(record.text) });
    }
  } catch (error) {
    if (!isHoldfastError(error, "INVALID_ARGUMENT")) throw error;
  }
  return found;
}

/** Throws InputError where the header of CSV is not what was said. */
export function lookAtHeader({ header }: Opening, { delimiterGiven, delimiter, key }: Said): void {
  if (!header) return;
  const { columns } = header;
  if (!delimiterGiven && columns.length === 1) checkDelimiter(header, [], delimiter);
  if (key === undefined || columns.includes(key)) return;
  throw new InputError(`no column is named ${shown(key)}, as --key says: ${named(columns, key)}`, { line: 1 });
}

/**
 * Looks at the first records: rejects with InputError where none of them is what was said, since the others will not be
 * either, and all of them would become dead letters.
 */
export async function lookAtFirst(opening: Opening, size: number, said: Said): Promise<void> {
  const first = await firstRecords(opening, size, mostRecords);
  const { header } = opening;
  const [one] = first;
  if (!one) return;
  if (header && !said.delimiterGiven) checkDelimiter(header, first, said.delimiter);
  const placeOf = async ({ offset }: RawRecord, column?: number): Promise<Place> => ({
    line: await lineAt(opening.file, offset),
    column,
    field: column === undefined ? undefined : header?.columns[column - 1],
  });
  if (first.every(({ parsed }) => !parsed.ok)) {
    const { message, column } = header ? noRow(one, first.length, header, said.delimiter) : noJson(one, first.length);
    throw new InputError(message, await placeOf(one.record, column));
  }
  const spans = !header && !one.parsed.ok && /^\s*[[{]\s*$/.test(one.record.text ?? "");
  if (spans) throw new InputError(spanning, await placeOf(one.record));
  const { key } = said;
  const items = first.flatMap(({ record, parsed }) => (parsed.ok ? [{ record, item: parsed.item }] : []));
  const [sample] = items;
  if (key === undefined || !sample || items.some(({ item }) => keyOf(item, key) !== undefined)) return;
  const which = items.length === 1 ? "the first item has" : `none of the first ${items.length} items has`;
  const column = header ? header.columns.indexOf(key) + 1 : undefined;
  const why = header ? "it is empty there" : fieldsOf(sample.item, key);
  throw new InputError(
    `${which} a key in the field ${shown(key)}, as --key says: ${why}`,
    await placeOf(sample.record, column),
  );
}

function fieldsOf(item: unknown, wanted: string): string {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return "it is no object";
  if (Object.hasOwn(item, wanted)) return "it is to be a text that is not empty, a number or a boolean";
  return named(Object.keys(item), wanted);
}

const spanning =
  "a JSON value begins here that goes on in the next line, and each line is to be a value of its own: " +
  "write them so, as in jq -c '.[]' FILE | holdfast each - ...";

interface Refusal {
  readonly message: string;
  readonly column?: number;
}

function noJson({ record: { text = "" } }: Looked, records: number): Refusal {
  const start = text.trimStart();
  if (start.startsWith("[") || /^\{\s*$/.test(start)) return { message: spanning };
  const what =
    records === 1 ? "the line is not valid JSON" : `the line is not valid JSON, nor any of the first ${records}`;
  const table = delimiters.find((delimiter) => text.includes(delimiter));
  const csv = table === undefined || start.startsWith("{") ? "" : `: if it is CSV, say --format csv${optionFor(table)}`;
  return { message: `${what}${csv}` };
}

function noRow(
  { record: { text = "" }, parsed }: Looked,
  rows: number,
  { columns }: Header,
  delimiter: string,
): Refusal {
  const fault = parsed.ok ? "" : parsed.fault;
  const what = `${fault}${rows === 1 ? "" : `, and none of the first ${rows} rows is better`}`;
  const fields = parseCsvRecord(text, delimiter);
  if (typeof fields === "string" || fields.length <= columns.length || fields.at(-1) !== "") return { message: what };
  const remedy = "it ends with a delimiter: remove that from each line, or name the column in the header";
  return { message: `${what}; ${remedy}`, column: columns.length + 1 };
}

/** Throws InputError where the rows are parted by another delimiter. */
function checkDelimiter({ text: header, columns }: Header, first: readonly Looked[], delimiter: string): void {
  const rows = first.slice(0, mostRows).flatMap(({ record }) => (record.text === undefined ? [] : [record.text]));
  const widths = (other: string): number[] =>
    [header, ...rows].map((text) => {
      const fields = parseCsvRecord(text, other);
      return typeof fields === "string" ? 0 : fields.length;
    });
  const fits = (all: readonly number[]): boolean => all.every((width) => width === all[0] && width > 1);
  const own = widths(delimiter);
  const others = delimiters.filter((other) => other !== delimiter && header.includes(other));
  if (fits(own) || others.length === 0) return;
  const other = others.find((one) => fits(widths(one))) ?? (columns.length === 1 ? others[0] : undefined);
  if (other === undefined) return;
  const number = columns.length === 1 ? "one column" : `${columns.length} columns`;
  const meant = `the header has ${number}, and it looks as if ${nameOf(other)} were meant`;
  const remedy = `say${optionFor(other)}, or --delimiter ${quoted(delimiter)} if they are not`;
  throw new InputError(`with ${nameOf(delimiter)} between its fields ${meant}: ${remedy}`, { line: 1 });
}

function named(names: readonly string[], wanted: string): string {
  const same = (name: string): string => name.toLowerCase().replaceAll(/[\s_-]/g, "");
  const near = names.find((name) => same(name) === same(wanted));
  const list = names.slice(0, mostNames).map(shown).join(", ");
  const more = names.length > mostNames ? ` and ${names.length - mostNames} more` : "";
  return near === undefined ? `there are ${list}${more}` : `did you mean ${shown(near)}?`;
}

function optionFor(delimiter: string): string {
  return delimiter === "," ? "" : ` --delimiter ${quoted(delimiter)}`;
}

function quoted(delimiter: string): string {
  return delimiter === "\t" ? "tab" : `"${delimiter}"`;
}

function nameOf(delimiter: string): string {
  const names: Readonly<Record<string, string>> = { ",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars" };
  return names[delimiter] ?? quoted(delimiter);
}
