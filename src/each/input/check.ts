import { isUtf8 } from "node:buffer";

import type { Problem } from "./input-error.ts";
import { inexactNumbers, type BigIntegers, type Inexact } from "./numbers.ts";
import { QuoteCheck } from "./quotes.ts";
import { maxRecordBytes } from "./records.ts";

/** What an input must be. */
export interface Expected {
  readonly format: "jsonl" | "csv";
  readonly delimiter: string;
  readonly bigIntegers: BigIntegers | undefined;
  /** Lines that are not UTF-8 are dead letters, not a reason to refuse the input. */
  readonly brokenLines: boolean;
}

const newline = 0x0a;

/**
 * Looks at the whole input, piece by piece, for what would otherwise come out in the middle of the work: bytes that are
 * not UTF-8, numbers that do not fit, a quote that swallows rows, a record without an end. Holds at most one line.
 */
export class ContentCheck {
  readonly #expected: Expected;
  readonly #quotes: QuoteCheck | undefined;
  /** The start of a line that goes on in the next piece, and where it is. */
  #rest: Buffer = Buffer.alloc(0);
  #offset: number;

  constructor(expected: Expected, offset: number) {
    this.#expected = expected;
    this.#offset = offset;
    this.#quotes = expected.format === "csv" ? new QuoteCheck(expected.delimiter, offset) : undefined;
  }

  /** The next piece of the input. */
  push(piece: Buffer): Problem | undefined {
    const first = piece.indexOf(newline) + 1;
    if (first === 0) {
      this.#rest = Buffer.concat([this.#rest, piece]);
      return this.#tooLong();
    }
    // Only the line that is in two pieces is copied.
    const found = this.#look(Buffer.concat([this.#rest, piece.subarray(0, first)]));
    const last = piece.lastIndexOf(newline) + 1;
    this.#rest = Buffer.from(piece.subarray(last));
    return found ?? this.#look(piece.subarray(first, last)) ?? this.#tooLong();
  }

  /** The input has ended. */
  end(): Problem | undefined {
    return this.#look(this.#rest) ?? this.#quotes?.end();
  }

  #look(lines: Buffer): Problem | undefined {
    if (lines.length === 0) return undefined;
    const offset = this.#offset;
    this.#offset += lines.length;
    if (!this.#expected.brokenLines && !isUtf8(lines)) return notUtf8(lines, offset, this.#expected);
    return this.#quotes ? this.#quotes.push(lines) : numberProblem(lines, offset, this.#expected.bigIntegers);
  }

  #tooLong(): Problem | undefined {
    if (this.#rest.length <= maxRecordBytes) return undefined;
    const message = `the line is longer than ${maxRecordBytes / 1024 / 1024} MiB, and a record may not be`;
    return { offset: this.#offset, message };
  }
}

/** The first bytes of these lines that are not UTF-8. */
function notUtf8(lines: Buffer, offset: number, { format, delimiter }: Expected): Problem | undefined {
  for (let start = 0; start < lines.length;) {
    const found = lines.indexOf(newline, start);
    const end = found < 0 ? lines.length : found;
    const line = lines.subarray(start, end);
    if (!isUtf8(line)) return { offset: offset + start, ...utf8Fault(line, format === "csv" ? delimiter : undefined) };
    start = end + 1;
  }
  return undefined;
}

/** Where in a line the first bytes are that are not UTF-8, and what to do. With a delimiter it is a row. */
export function utf8Fault(line: Buffer, delimiter?: string): { readonly column: number; readonly message: string } {
  const text = line.toString("utf8");
  let char = -1;
  let at: number;
  // A replacement character that is written in the input itself is none of these.
  do {
    char = text.indexOf("\uFFFD", char + 1);
    at = Buffer.byteLength(text.slice(0, char));
  } while (line.toString("latin1", at, at + 3) === "\u00EF\u00BF\u00BD");
  const byte = `0x${line.toString("hex", at, at + 1).toUpperCase()}`;
  const message =
    `the byte ${byte} is not UTF-8: say what the input is written in, such as --encoding windows-1252 ` +
    "(--encoding utf-8 makes a dead letter of each such line)";
  // What is outside of quotes are the even pieces between them.
  const outside = text
    .slice(0, char)
    .split('"')
    .filter((_, i) => i % 2 === 0);
  return { column: delimiter === undefined ? char + 1 : outside.join("").split(delimiter).length, message };
}

/** A digit every third byte, from which on to look closer: three in a row are in every number that may not fit. */
function numberProblem(lines: Buffer, offset: number, big: BigIntegers | undefined): Problem | undefined {
  for (let i = 2; i < lines.length; i += 3) {
    if (!isDigit(lines[i])) continue;
    let start = i;
    while (start > 0 && isDigit(lines[start - 1])) start--;
    let end = i + 1;
    while (end < lines.length && isDigit(lines[end])) end++;
    i = end;
    if (end - start < 16 && !(end - start >= 3 && isExponent(lines, start))) continue;
    if (lines[start - 1] === 0x22 && lines[end] === 0x22) continue; // a string of digits
    const from = lines.lastIndexOf(newline, start) + 1;
    const to = lines.indexOf(newline, start);
    const text = lines.toString("utf8", from, to < 0 ? lines.length : to);
    const found = unfit(text, big);
    if (found) return { offset: offset + from, ...describe(text, found) };
    i = to < 0 ? lines.length : to;
  }
  return undefined;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** Whether the digits from there on are those of an exponent. */
function isExponent(lines: Buffer, start: number): boolean {
  const sign = lines[start - 1];
  const before = sign === 0x2b || sign === 0x2d ? lines[start - 2] : sign;
  return before === 0x65 || before === 0x45;
}

function unfit(line: string, big: BigIntegers | undefined): Inexact | undefined {
  for (const number of inexactNumbers(line)) {
    if (number.why === "integer" && big !== undefined) continue;
    try {
      JSON.parse(line);
    } catch {
      return undefined; // it is no item, and becomes a dead letter
    }
    return number;
  }
  return undefined;
}

function describe(text: string, { at, literal, why }: Inexact): Omit<Problem, "offset"> {
  const name = /"((?:[^"\\]|\\.)*)"\s*:\s*$/.exec(text.slice(Math.max(at - 200, 0), at))?.[1];
  const number = literal.length > 40 ? `${literal.slice(0, 40)}...` : literal;
  const message =
    why === "integer"
      ? `the integer ${number} is beyond 2^53 - 1 and would be rounded: --big-integers string hands such integers ` +
        "over as text, --big-integers bigint as BigInt"
      : `the number ${number} is too ${why} and would arrive as ${why === "large" ? "Infinity" : "0"}: ` +
        "write it as a string";
  return { column: at + 1, field: name, message };
}
