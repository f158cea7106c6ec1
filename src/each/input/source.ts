import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";

import { InvalidArgumentError } from "../../base/errors.ts";
import type { Position } from "../progress.ts";
import { parseCsvRecord } from "./csv.ts";
import { csv, jsonl, type Format } from "./formats.ts";
import { csvEnd, maxRecordBytes } from "./records.ts";

/** How the records of an input are written down. */
export type FormatName = "jsonl" | "csv";

/** What makes two inputs the same: their bytes. */
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

/**
 * Reads the whole file once for its hash: at over 1 GB/s a small part of what any handler takes, and the only way to
 * see a change of one byte before the first item is handled. Rejects with InvalidArgumentError where there is no such
 * file.
 */
export async function openSource(path: string): Promise<Source> {
  const seen = seenOf(await statOf(path));
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  } catch (error) {
    throw unreadable(path, error);
  }
  const source = { path, fingerprint: { size: seen.size, sha256: hash.digest("hex") }, seen };
  await assertUnchanged(source);
  return source;
}

/** Rejects with InvalidArgumentError when the file was written to since its content was read. */
export async function assertUnchanged(source: Source): Promise<void> {
  const now = seenOf(await statOf(source.path));
  const { size, mtimeMs, ino } = source.seen;
  if (now.size !== size || now.mtimeMs !== mtimeMs || now.ino !== ino) {
    throw new InvalidArgumentError(`the input ${source.path} was changed while it was read`);
  }
}

/** What is needed to read a source: its format, and where its first record is. */
export interface Opening {
  readonly file: FileHandle;
  readonly format: Format;
  readonly first: Position;
}

const byteOrderMark = Buffer.from("\uFEFF");

/** Opens a source for reading. The caller closes the file. */
export async function openRecords(source: Source, name: FormatName): Promise<Opening> {
  const file = await open(source.path, "r");
  try {
    const head = Buffer.alloc(byteOrderMark.length);
    await file.read(head, 0, head.length, 0);
    const start = head.equals(byteOrderMark) ? head.length : 0;
    if (name === "jsonl") return { file, format: jsonl, first: { id: 1, offset: start } };
    const { columns, end } = await readHeader(file, start, source.fingerprint.size);
    return { file, format: csv(columns), first: { id: 1, offset: end } };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readHeader(
  file: FileHandle,
  start: number,
  size: number,
): Promise<{ columns: readonly string[]; end: number }> {
  for (let bytes = 64 * 1024; ; bytes *= 4) {
    const length = Math.min(bytes, size - start);
    const buffer = Buffer.alloc(length);
    await file.read(buffer, 0, length, start);
    const found = csvEnd(buffer, 0);
    if (found < 0 && start + length < size && bytes < maxRecordBytes) continue;
    const end = found < 0 ? length : found;
    const columns = parseCsvRecord(buffer.toString("utf8", 0, end).replace(/\r$/, ""));
    if (typeof columns === "string") throw new InvalidArgumentError(`the CSV header cannot be read: ${columns}`);
    if (columns.every((column) => column.trim() === "")) throw new InvalidArgumentError("the CSV input has no header");
    const twice = columns.find((column, i) => columns.indexOf(column) !== i);
    if (twice !== undefined)
      throw new InvalidArgumentError(`the CSV header has the column ${JSON.stringify(twice)} twice`);
    return { columns, end: start + Math.min(end + 1, length) };
  }
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

function seenOf({ size, mtimeMs, ino }: Stats): Seen {
  return { size, mtimeMs, ino };
}

function unreadable(path: string, error: unknown): InvalidArgumentError {
  const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
  return new InvalidArgumentError(missing ? `there is no input file ${path}` : `the input ${path} cannot be read`, {
    cause: error,
  });
}
