import { spaceOfId } from "../../base/keys.ts";
import type { ListedRecord, Payload } from "../../port/index.ts";
import type { RecordParts } from "../machine/record.ts";
import { formats } from "../sql/dialect.ts";
import type { Column, Row } from "./driver.ts";

/** Text that UTF-8 cannot hold, since halves of characters stand alone in it; beside those of `formats`. */
const utf16 = 4;

/** A record as it is found: with a value where it was asked for. */
export interface RecordRow extends Row {
  readonly version: Column;
  readonly expires_at: number | null;
  readonly stamps: string | null;
}

/** A stamp as it is stored, in JSON. */
export type StoredStamp = readonly [space: string, key: string, version: string];

/** How a column of text is asked for: some drivers end a text at its first NUL, but no bytes. */
export function textColumn(isWhole: boolean): (name: string) => string {
  return (name) => (isWhole ? name : `CAST(${name} AS BLOB) AS ${name}`);
}

/** The column of a value, with text as text where the driver gives all of it. */
export function valueColumn(isWhole: boolean): string {
  if (!isWhole) return "format, value";
  const { text, json } = formats;
  return `format, CASE WHEN format IN (${text}, ${json}) THEN CAST(value AS TEXT) ELSE value END AS value`;
}

/** The text of a column that was asked for as one. */
export function textOf(column: Column): string {
  return typeof column === "string" ? column : Buffer.from(column as Uint8Array).toString();
}

/** What is written of a record into `format`, `value` and `stamps`. */
export function columnsOf(
  space: string,
  { kind, payload, stamps }: RecordParts,
): readonly [format: number, value: Uint8Array, stamps: string | null] {
  const format = kind === "bytes" ? formats.bytes : kind === "utf16" ? utf16 : textFormat(space, payload);
  return [format, payload, stamps.length === 0 ? null : JSON.stringify(stamps.map(storedStamp))];
}

/** No JSON has a NUL in it; whether it is JSON otherwise, SQLite looks itself when somebody asks for `data`. */
function textFormat(space: string, payload: Uint8Array): number {
  return space.startsWith("s") && !payload.includes(0) ? formats.json : formats.text;
}

function storedStamp({ key, id }: RecordParts["stamps"][number]): StoredStamp {
  const space = spaceOfId(key)?.id ?? "";
  return [space, key.slice(space.length), id];
}

export function stampsIn(text: string | null): readonly StoredStamp[] {
  return text === null ? [] : (JSON.parse(text) as StoredStamp[]);
}

/** A record as a caller may have it. */
export function shownRecord(key: string, row: RecordRow, values: boolean): ListedRecord {
  const id = textOf(row.version);
  const value = values ? payloadOf(row) : "";
  return row.expires_at === null ? { key, id, value } : { key, id, value, expiresAt: row.expires_at };
}

/** The same, with its stamps. */
export function withStamps(record: ListedRecord, { stamps }: RecordRow): ListedRecord {
  if (stamps === null) return record;
  return { ...record, stamps: stampsIn(stamps).map(([space, key, id]) => ({ key: space + key, id })) };
}

function payloadOf({ format, value }: Row): Payload {
  if (typeof value === "string") return value;
  const bytes = value as Uint8Array;
  // Nobody else has it; but it may be of another kind.
  if (format === formats.bytes) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(format === utf16 ? "utf16le" : "utf8");
}
