import { randomUUID } from "node:crypto";

/** What becomes of integers beyond 2^53 - 1, which a number of JavaScript cannot hold. */
export type BigIntegers = "string" | "bigint";

/** A number in a JSON text that would not arrive as it is written. */
export interface Inexact {
  /** Where it starts in the text, and what it is. */
  readonly at: number;
  readonly literal: string;
  /** An integer beyond 2^53 - 1, which is rounded; a number that is too `large`, or so `small` that it becomes zero. */
  readonly why: "integer" | "large" | "small";
}

const quote = 0x22;

/** The numbers of a valid JSON text that would not arrive as they are written. */
export function* inexactNumbers(text: string): Generator<Inexact> {
  for (let i = 0; i < text.length;) {
    const char = text.charCodeAt(i);
    if (char === quote) i = endOfString(text, i);
    else if (isDigit(char)) {
      const at = text[i - 1] === "-" ? i - 1 : i;
      while (isPartOfNumber(text.charCodeAt(i))) i++;
      const literal = text.slice(at, i);
      const why = whyInexact(literal);
      if (why) yield { at, literal, why };
    } else i++;
  }
}

function whyInexact(literal: string): Inexact["why"] | undefined {
  const value = Number(literal);
  if (/^-?\d+$/.test(literal)) return Number.isSafeInteger(value) ? undefined : "integer";
  if (!Number.isFinite(value)) return "large";
  return value === 0 && /^[^eE]*[1-9]/.test(literal) ? "small" : undefined;
}

/** After the closing quote of the string that starts there. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; ; i++) {
    i = text.indexOf('"', i);
    if (i < 0) return text.length;
    let escapes = 0;
    while (text[i - 1 - escapes] === "\\") escapes++;
    if (escapes % 2 === 0) return i + 1;
  }
}

function isDigit(char: number): boolean {
  return char >= 0x30 && char <= 0x39;
}

/** A digit, a dot, an exponent or a sign of one; false at the end of the text, where it is NaN. */
function isPartOfNumber(char: number): boolean {
  return isDigit(char) || char === 0x2e || char === 0x65 || char === 0x45 || char === 0x2b || char === 0x2d;
}

/** Only in such a text can a number be inexact. */
const suspicious = /\d{16}|[eE][+-]?\d{3}/;
/** Marks an integer in a text that is parsed or written; drawn, so that no string of an input begins with it. */
const mark = `${randomUUID()}:`;
const marked = new RegExp(`"${mark}(-?\\d+)"`, "g");

/** As `JSON.parse`, with integers beyond 2^53 - 1 exact. Other numbers are known to fit. */
export function parseExact(text: string, big: BigIntegers): unknown {
  const plain = JSON.parse(text) as unknown;
  if (!suspicious.test(text)) return plain;
  let exact = "";
  let done = 0;
  for (const { at, literal, why } of inexactNumbers(text)) {
    if (why !== "integer") continue;
    exact += `${text.slice(done, at)}"${big === "bigint" ? mark : ""}${literal}"`;
    done = at + literal.length;
  }
  if (done === 0) return plain;
  exact += text.slice(done);
  return big === "string" ? JSON.parse(exact) : JSON.parse(exact, unmarked);
}

function unmarked(_: string, value: unknown): unknown {
  return typeof value === "string" && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value;
}

/** As `JSON.stringify`, with the digits of a bigint as a number. */
export function writeExact(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? `${mark}${part}` : part));
  return text.includes(mark) ? text.replace(marked, "$1") : text;
}
