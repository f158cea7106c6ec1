import type { Key } from "../../base/keys.ts";
import type { Statement } from "../sql/client.ts";
import { bytesOf } from "../sql/values.ts";

/*
 * Statements are sent as text, with every value in it as a literal, for the driver has no other way to send several in
 * one trip. No value is ever escaped: bytes and text are written as hexadecimal digits and numbers as decimal ones, so
 * what is sent is plain ASCII without a quote, a backslash, a question mark or a colon of a value's. It means the same
 * under every sql_mode (NO_BACKSLASH_ESCAPES, ANSI_QUOTES), every character set of the connection, and whatever an
 * application has put into its pool that looks for placeholders.
 *
 * On connections of our own nobody looks for placeholders. There, a long text that is printable ASCII without a quote
 * and a backslash stands between quotes as it is: half as many bytes to make, send and parse.
 */

/** A statement of ours may be several of the server's, in order; its reply is that of the last. */
export interface MySqlStatement extends Statement {
  /** Instead of `text`, where it is more than one. */
  readonly parts?: readonly string[] | undefined;
  /** What it is instead where it is a transaction of its own, as `write` makes it. `own`: on a connection of ours. */
  alone?(own: boolean): readonly string[];
}

/** What the server is asked for a statement. */
export function partsOf(statement: Statement): readonly string[] {
  return (statement as MySqlStatement).parts ?? [statement.text];
}

/** A statement that is to be a transaction of its own. */
export function alone(statement: MySqlStatement, own: boolean): MySqlStatement {
  return statement.alone ? { text: "", values: [], parts: statement.alone(own) } : statement;
}

/** Printable ASCII but the quote and the backslash. */
const harmless = /^[ -&(-[\]-~]*$/;

/** As {@link bytes}, for a statement on a connection of ours. */
export function quoted(value: string | Uint8Array): string {
  return typeof value === "string" && harmless.test(value) ? `_binary'${value}'` : bytes(value);
}

/** Bytes, or the UTF-8 of a text. */
export function bytes(value: string | Uint8Array): string {
  return `X'${bytesOf(value).toString("hex")}'`;
}

/** An integer, exactly; NULL for what is undefined. */
export function integer(value: number | undefined): string {
  if (value === undefined) return "NULL";
  if (!Number.isSafeInteger(value)) throw new RangeError("a number in a statement is no safe integer");
  return String(value);
}

/** Microseconds since 1970: an integer, whatever the time zone of the server, of the session and of the driver. */
export const micros = "TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', UTC_TIMESTAMP(6))";

/** A statement of one text. */
export function plain(text: string): MySqlStatement {
  return { text, values: [] };
}

/** The rows `r` of a table whose keys are in `u`, and no others. */
export function joined(table: string): string {
  return `STRAIGHT_JOIN ${table} AS r FORCE INDEX (PRIMARY) ON r.space = u.s AND r.\`key\` = u.k`;
}

/** Characters of rows in one statement, at most, unless one row has more. */
const mostText = 1 << 20;

/** An insert of many rows, which is more than one where they are long. */
export function several(head: string, rows: readonly string[], tail: string): MySqlStatement {
  return { text: "", values: [], parts: inserts(head, rows, tail) };
}

/** The statements of {@link several}. */
export function inserts(head: string, rows: readonly string[], tail: string): readonly string[] {
  const parts: string[] = [];
  let at = 0;
  while (at < rows.length) {
    const first = at;
    let length = (rows[at++] as string).length;
    while (at < rows.length && (length += (rows[at] as string).length) <= mostText) at++;
    parts.push(`${head}(${rows.slice(first, at).join("), (")})${tail}`);
  }
  return parts;
}

/** A key, as values of two columns. */
export function named({ space, key }: Key): string {
  return `${bytes(space.id)}, ${bytes(key)}`;
}

/** Keys as a table `u`. */
export function listed([first, ...more]: readonly Key[]): string {
  const { space, key } = first as Key;
  const rows = more.map((one) => ` UNION ALL SELECT ${named(one)}`);
  return `(SELECT ${bytes(space.id)} AS s, ${bytes(key)} AS k${rows.join("")}) AS u`;
}

/** The rows `r` of keys, and no others: a table and a condition that others may follow. */
export function rowsOf(table: string, keys: readonly Key[]): string {
  const [only, ...more] = keys;
  if (!only || more.length > 0) return `${listed(keys)} ${joined(table)} WHERE TRUE`;
  const isIt = `r.space = ${bytes(only.space.id)} AND r.\`key\` = ${bytes(only.key)}`;
  return `${table} AS r FORCE INDEX (PRIMARY) WHERE ${isIt}`;
}
