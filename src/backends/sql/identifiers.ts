import { InvalidArgumentError } from "../../base/errors.ts";

/** What names of our tables begin with, unless told. */
export const defaultPrefix = "holdfast_";

/** Also short enough for what follows it: names have at most 63 bytes on the strictest server. */
const plain = /^[a-z_][a-z0-9_]{0,30}$/;

/**
 * Refuses a prefix of tables that is no plain name: 1 to 31 characters of `a-z`, `0-9` and `_`, no digit first. Throws
 * InvalidArgumentError, which does not quote it.
 */
export function checkPrefix(prefix: unknown, backend: string): string {
  return checkPlain(prefix, "the prefix of tables", backend);
}

/** Refuses a schema as {@link checkPrefix} does a prefix. */
export function checkSchema(schema: unknown, backend: string): string {
  return checkPlain(schema, "the schema", backend);
}

function checkPlain(name: unknown, what: string, backend: string): string {
  if (typeof name === "string" && plain.test(name)) return name;
  const got = typeof name === "string" ? "" : `, got ${name === null ? "null" : typeof name}`;
  throw new InvalidArgumentError(
    `${what} must be 1 to 31 of the characters a-z, 0-9 and _, and not begin with a digit${got}`,
    { backend },
  );
}

/** What a dialect puts around names. */
export type QuoteMark = '"' | "`";

/** `name` as an identifier of SQL, whatever it holds but NUL, which no server takes. */
export function quoted(name: string, mark: QuoteMark): string {
  if (name.includes("\0")) throw new InvalidArgumentError("a name must not hold a NUL character");
  return `${mark}${name.replaceAll(mark, mark + mark)}${mark}`;
}

/** `text` as a literal of SQL. For what we drew or checked ourselves: it takes letters, digits and `_ . : -` alone. */
export function literal(text: string): string {
  if (!/^[\w.:-]*$/.test(text)) throw new Error("this is no text to be written into a statement");
  return `'${text}'`;
}

/** The tables of the records, the locks, the fence floors, and what is known of all of them. */
export type TableKind = "meta" | "records" | "locks" | "floors" | "watchers";

/** Our tables as statements name them: quoted, with their schema where there is one. */
export interface TableNames extends Readonly<Record<TableKind, string>> {
  readonly schema: string | undefined;
  readonly prefix: string;
  /** A name with the prefix, without the schema, as the server knows it: for its catalogs. */
  plain(kind: string): string;
  /** Another thing with this prefix and schema, as a statement names it. */
  other(name: string): string;
}

/** Names of tables. `prefix` was checked; `schema` is quoted, whatever it holds. */
export function tableNames(mark: QuoteMark, prefix: string, schema?: string): TableNames {
  const plainName = (kind: string): string => prefix + kind;
  const other = (name: string): string =>
    `${schema === undefined ? "" : `${quoted(schema, mark)}.`}${quoted(plainName(name), mark)}`;
  return {
    schema,
    prefix,
    meta: other("meta"),
    records: other("records"),
    locks: other("locks"),
    floors: other("floors"),
    watchers: other("watchers"),
    plain: plainName,
    other,
  };
}
