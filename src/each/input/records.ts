import { isUtf8 } from "node:buffer";

import { InvalidArgumentError } from "../../base/errors.ts";
import type { Position } from "../progress.ts";

/** One record of the input, not yet parsed. */
export interface RawRecord extends Position {
  /** Without its line ending; undefined where it is not valid UTF-8. */
  readonly text: string | undefined;
}

/** Longest record, in bytes: a process has to hold it. */
export const maxRecordBytes = 16 * 1024 * 1024;

const newline = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x22;
const space = 0x20;
const tab = 0x09;

/** How an input is cut into records. */
export interface Cut {
  /** Where a record ends: the place of its newline, or -1 where it does not end in this buffer. */
  readonly findEnd: (buffer: Buffer, start: number) => number;
  /** Lines that are blank are no records; a tab is not blank where it parts fields. */
  readonly blankTabs: boolean;
}

/** JSON Lines: a record is a line. */
export const lines: Cut = { findEnd: (buffer, start) => buffer.indexOf(newline, start), blankTabs: true };

/**
 * CSV by RFC 4180: a record ends at the first newline outside of quotes. A quote counts only at the start of a field.
 */
export function rows(delimiter: string): Cut {
  const comma = delimiter.charCodeAt(0);
  return { findEnd: (buffer, start) => rowEnd(buffer, start, comma), blankTabs: comma !== tab };
}

function rowEnd(buffer: Buffer, start: number, comma: number): number {
  const end = buffer.indexOf(newline, start);
  const quoted = buffer.indexOf(quote, start);
  if (quoted < 0 || (end >= 0 && quoted > end)) return end;
  let i = start;
  while (i < buffer.length) {
    if (buffer[i] !== quote) {
      while (i < buffer.length && buffer[i] !== comma && buffer[i] !== newline) i++;
    } else {
      // To the closing quote: a doubled one is text.
      for (i++; ; i++) {
        i = buffer.indexOf(quote, i);
        if (i < 0) return -1;
        if (buffer[i + 1] !== quote) break;
        i++;
      }
      for (i++; i < buffer.length && buffer[i] !== comma && buffer[i] !== newline;) i++;
    }
    if (buffer[i] === newline) return i;
    i++; // past the comma
  }
  return -1;
}

/** What {@link splitRecords} made of a piece of the input. */
export interface Split {
  readonly records: RawRecord[];
  /** After the last record: where the next one starts. */
  readonly next: Position;
}

/**
 * Cuts the records out of `buffer`, which starts at `from`. A record that does not end in it is left for the next call,
 * unless the input ends with the buffer (`last`). Blank lines are no records.
 */
export function splitRecords(buffer: Buffer, from: Position, { findEnd, blankTabs }: Cut, last: boolean): Split {
  const records: RawRecord[] = [];
  // A buffer may end inside of a character, a line does not.
  const clean = isUtf8(last ? buffer : buffer.subarray(0, buffer.lastIndexOf(newline) + 1));
  let start = 0;
  let { id } = from;
  while (start < buffer.length) {
    let end = findEnd(buffer, start);
    if (end < 0) {
      if (!last) break;
      end = buffer.length;
    }
    const stop = end > start && buffer[end - 1] === carriageReturn ? end - 1 : end;
    if (!isBlank(buffer, start, stop, blankTabs)) {
      records.push({ id, offset: from.offset + start, text: textOf(buffer, start, stop, clean) });
      id++;
    }
    start = end + 1;
  }
  const offset = from.offset + Math.min(start, buffer.length);
  if (records.length === 0 && buffer.length - start > maxRecordBytes) {
    const most = `${maxRecordBytes / 1024 / 1024} MiB`;
    throw new InvalidArgumentError(
      `record ${id}, at byte ${offset} of the input, is longer than ${most} (a quote that is never closed?)`,
    );
  }
  return { records, next: { id, offset } };
}

function isBlank(buffer: Buffer, start: number, stop: number, blankTabs: boolean): boolean {
  for (let i = start; i < stop; i++) {
    const byte = buffer[i];
    if (byte !== space && !(blankTabs && byte === tab)) return false;
  }
  return true;
}

function textOf(buffer: Buffer, start: number, stop: number, clean: boolean): string | undefined {
  if (!clean && !isUtf8(buffer.subarray(start, stop))) return undefined;
  return buffer.toString("utf8", start, stop);
}
