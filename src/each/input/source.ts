import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";

import { InvalidArgumentError, isHoldfastError } from "../../base/errors.ts";
import type { Position } from "../progress.ts";
import { ContentCheck, utf8Fault, type Expected } from "./check.ts";
import { loneReturn, parseCsvRecord } from "./csv.ts";
import { csv, jsonl, type Format } from "./formats.ts";
import { InputError, shown, type Problem } from "./input-error.ts";
import { maxRecordBytes, rows } from "./records.ts";

/** What makes two inputs the same: their bytes, as they are read. */
export interface Fingerprint {
  readonly size: number;
  readonly sha256: string;
}

/** An input file whose content is known. */
export interface Source {
  readonly path: string;
  readonly fingerprint: Fingerprint;
  /** What the file system said before the content was read, to tell cheaply whether it was changed since. */
  readonly seen: Seen;
}

/** Marks of a file that change with its content, unless somebody sets them back. */
export interface Seen {
  readonly size: number;
  readonly mtimeMs: number;
  readonly ino: number;
}

/** Rejects with InvalidArgumentError where there is no such file. */
export async function see(path: string): Promise<Seen> {
  const { size, mtimeMs, ino } = await statOf(path);
  return { size, mtimeMs, ino };
}

/**
 * Reads the whole file once for its hash: a small part of what any handler takes, and the only way to
 * see a change of one byte before the first item is handled. What is wrong anywhere in it is found meanwhile; `look` is
 * called when the first part was found to be right.
 *
 * Rejects with InputError where the input cannot be meant, and with InvalidArgumentError where it cannot be read.
 */
export async function readWhole(
  path: string,
  seen: Seen,
  opening: Opening,
  expected: Expected,
  look: () => Promise<void>,
): Promise<Source> {
  const hash = createHash("sha256");
  const check = new ContentCheck(expected, opening.first.offset);
  let problem: Problem | undefined;
  let skip = opening.first.offset;
  let pieces = 0;
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
      if (pieces++ === 1) await look();
      hash.update(piece);
      problem = check.push(skip === 0 ? piece : piece.subarray(skip));
      skip = Math.max(skip - piece.length, 0);
      if (problem) break;
    }
  } catch (error) {
    throw isHoldfastError(error) ? error : unreadable(path, error);
  }
  problem ??= check.end();
  if (problem) throw await refused(opening, problem);
  if (pieces < 2) await look();
  const source = { path, fingerprint: { size: seen.size, sha256: hash.digest("hex") }, seen };
  await assertUnchanged(source);
  return source;
}

/** Rejects with InvalidArgumentError when the file was written to since its content was read. */
export async function assertUnchanged(source: Pick<Source, "path" | "seen">): Promise<void> {
  const now = await see(source.path);
  const { size, mtimeMs, ino } = source.seen;
  if (now.size !== size || now.mtimeMs !== mtimeMs || now.ino !== ino) {
    throw new InvalidArgumentError(`the input ${source.path} was changed while it was read`);
  }
}

/** The header of CSV: its text, and the names in it. */
export interface Header {
  readonly text: string;
  readonly columns: readonly string[];
}

/** What is needed to read a source: its format, and where its first record is. */
export interface Opening {
  readonly file: FileHandle;
  readonly format: Format;
  readonly first: Position;
  /** The header of CSV. */
  readonly header?: Header;
}

const byteOrderMark = Buffer.from("\uFEFF");

/** Opens a file for reading. The caller closes it. Rejects with InputError where the header is wrong. */
export async function openRecords(
  path: string,
  size: number,
  {
    format,
    delimiter = ",",
    bigIntegers,
  }: Pick<Partial<Expected>, "delimiter" | "bigIntegers"> & Pick<Expected, "format">,
): Promise<Opening> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(byteOrderMark.length);
    await file.read(head, 0, head.length, 0);
    const start = head.equals(byteOrderMark) ? head.length : 0;
    if (format === "jsonl") return { file, format: jsonl(bigIntegers), first: { id: 1, offset: start } };
    const { header, end } = await readHeader(file, start, size, delimiter);
    return { file, format: csv(header.columns, delimiter), first: { id: 1, offset: end }, header };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The line that an offset of the input is in, from 1. */
export async function lineAt(file: FileHandle, offset: number): Promise<number> {
  const buffer = Buffer.alloc(Math.min(offset, 1024 * 1024));
  let line = 1;
  for (let at = 0; at < offset;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, offset - at), at);
    if (bytesRead === 0) break;
    const piece = buffer.subarray(0, bytesRead);
    for (let i = piece.indexOf(0x0a); i >= 0; i = piece.indexOf(0x0a, i + 1)) line++;
    at += bytesRead;
  }
  return line;
}

/** The error for a problem that was found in an open input. */
async function refused({ file, header }: Opening, problem: Problem): Promise<InputError> {
  const { offset, column, message } = problem;
  const field = problem.field ?? (column === undefined ? undefined : header?.columns[column - 1]);
  return new InputError(message, { line: await lineAt(file, offset), column, field });
}

async function readHeader(
  file: FileHandle,
  start: number,
  size: number,
  delimiter: string,
): Promise<{ header: Header; end: number }> {
  for (let bytes = 64 * 1024; ; bytes *= 4) {
    const length = Math.min(bytes, size - start);
    const buffer = Buffer.alloc(length);
    await file.read(buffer, 0, length, start);
    const found = rows(delimiter).findEnd(buffer, 0);
    if (found < 0 && start + length < size) {
      if (bytes < maxRecordBytes) continue;
      throw new InputError("the CSV header has no end: is a quote not closed?", { line: 1 });
    }
    const end = found < 0 ? length : found;
    return { header: headerOf(buffer.subarray(0, end), delimiter), end: start + Math.min(end + 1, length) };
  }
}

function headerOf(bytes: Buffer, delimiter: string): Header {
  const text = bytes.toString("utf8").replace(/\r$/, "");
  if (text.trim() === "") throw new InputError("the CSV input has no header: its first line is to name the columns");
  if (!bytes.equals(Buffer.from(bytes.toString("utf8")))) {
    const { column, message } = utf8Fault(bytes, delimiter);
    const [first = ""] = message.split(" (--encoding");
    throw new InputError(`in the header, ${first}`, { line: 1, column });
  }
  const columns = parseCsvRecord(text, delimiter);
  if (columns === loneReturn) {
    const message = "the line ends with a carriage return alone, and a line has to end with a newline";
    throw new InputError(`${message}: write the input anew`, { line: 1 });
  }
  if (typeof columns === "string") throw new InputError(`the CSV header cannot be read: ${columns}`, { line: 1 });
  const nameless = columns.findIndex((column) => column.trim() === "");
  if (nameless >= 0) {
    const trailing = columns.slice(nameless).every((column) => column.trim() === "");
    const what = trailing ? "the header ends with a delimiter, so" : "in the header";
    const remedy = trailing ? "name it, or remove the empty columns from the end of each line" : "name it";
    throw new InputError(`${what} this column has no name: ${remedy}`, { line: 1, column: nameless + 1 });
  }
  const twice = columns.findIndex((column, i) => columns.indexOf(column) !== i);
  if (twice >= 0) {
    const name = shown(columns[twice] as string);
    throw new InputError(`the CSV header has the column ${name} twice: give one of them another name`, {
      line: 1,
      column: twice + 1,
    });
  }
  return { text, columns };
}

async function statOf(path: string): Promise<Stats> {
  let found: Stats;
  try {
    found = await stat(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  if (!found.isFile()) throw new InvalidArgumentError(`the input ${path} is not a file; "-" reads standard input`);
  return found;
}

function unreadable(path: string, error: unknown): InvalidArgumentError {
  const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
  return new InvalidArgumentError(missing ? `there is no input file ${path}` : `the input ${path} cannot be read`, {
    cause: error,
  });
}
