import type { Problem } from "./input-error.ts";
import { maxRecordBytes } from "./records.ts";

const newline = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x22;

/** Where it is: at the start of a field, in one without quotes, in quotes, after a quote inside of them. */
const At = { start: 0, plain: 1, quoted: 2, closed: 3 } as const;

/**
 * Finds a quote that would swallow rows: one that is never closed, or closed by the quote of another field further
 * down, so that text follows. Nobody can tell then which of these lines are rows. Where quotes are wrong within one
 * line, that row alone is none.
 */
export class QuoteCheck {
  readonly #comma: number;
  #at: (typeof At)[keyof typeof At] = At.start;
  #offset: number;
  /** The field of its row that opened the quotes, from 1, and where. */
  #field = 1;
  #opened = 0;
  /** Newlines inside of the quotes. */
  #swallowed = 0;

  constructor(delimiter: string, offset: number) {
    this.#comma = delimiter.charCodeAt(0);
    this.#offset = offset;
  }

  /** More lines, each of them whole. */
  push(lines: Buffer): Problem | undefined {
    const offset = this.#offset;
    this.#offset += lines.length;
    if (this.#at !== At.quoted && !lines.includes(quote)) return undefined;
    const comma = this.#comma;
    let at = this.#at;
    let field = at === At.quoted ? this.#field : 1;
    for (let i = 0; i < lines.length; i++) {
      const byte = lines[i];
      if (at === At.quoted) {
        if (byte === quote) at = At.closed;
        else if (byte === newline) this.#swallowed++;
      } else if (at === At.closed && byte === quote) at = At.quoted;
      else if (byte === newline) {
        at = At.start;
        field = 1;
      } else if (byte === comma) {
        at = At.start;
        field++;
      } else if (byte === quote && at === At.start) {
        at = At.quoted;
        this.#opened = offset + i;
        this.#field = field;
        this.#swallowed = 0;
      } else {
        if (at === At.closed && byte !== carriageReturn && this.#swallowed > 0)
          return this.#problem("is closed by one that text follows");
        at = At.plain;
      }
    }
    this.#at = at;
    const long = at === At.quoted && this.#offset - this.#opened > maxRecordBytes;
    return long ? this.#problem(`is not closed within ${maxRecordBytes / 1024 / 1024} MiB`) : undefined;
  }

  /** The input has ended. */
  end(): Problem | undefined {
    return this.#at === At.quoted && this.#swallowed > 0 ? this.#problem("is never closed") : undefined;
  }

  #problem(how: string): Problem {
    const after = this.#swallowed === 1 ? "in the next line" : `in the next ${this.#swallowed} lines`;
    const message =
      `the quote that opens this field ${how}, so nobody can tell what is a row ${after}: ` +
      'close it, or write "" for a quote that is text';
    return { offset: this.#opened, column: this.#field, message };
  }
}
