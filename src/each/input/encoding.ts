import { InputError, type Place } from "./input-error.ts";

/** The marks of Unicode's encodings at the start of a file; those of four bytes first, for two of them begin alike. */
const marks: readonly (readonly [bytes: string, encoding: string])[] = [
  ["fffe0000", "utf-32le"],
  ["0000feff", "utf-32be"],
  ["efbbbf", "utf-8"],
  ["fffe", "utf-16le"],
  ["feff", "utf-16be"],
];

/**
 * What a text is written in that begins with `head`: by its mark, else as was said, else UTF-8. Throws InputError where
 * that cannot be.
 */
export function encodingOf(head: Buffer, said: string | undefined): string {
  const start = head.toString("hex", 0, 4);
  const mark = marks.find(([bytes]) => start.startsWith(bytes))?.[1];
  if (mark?.startsWith("utf-32"))
    throw new InputError(`the input is written in ${mark}, which is not read: write it in UTF-8`);
  if (mark !== undefined) {
    const same = said === undefined || said === mark || (said.startsWith("utf-16") && mark.startsWith("utf-16"));
    if (!same)
      throw new InputError(`the input begins with the mark of ${mark}, so it is not ${said}: leave --encoding out`);
    return mark;
  }
  const zero = head.indexOf(0);
  const guess = zero < 0 ? undefined : guessUtf16(head);
  if (said?.startsWith("utf-16")) {
    if (guess !== undefined && guess !== said) throw new InputError(`the input is not ${said}: it looks like ${guess}`);
    if (zero < 0 && head.length > 0)
      throw new InputError(`the input is not ${said}: not even a newline is in its first part`);
    return said;
  }
  if (zero >= 0 && said === undefined) {
    const remedy = guess === undefined ? "is it text at all?" : `if it is UTF-16, say --encoding ${guess}`;
    throw new InputError(`a zero byte is no text of UTF-8: ${remedy}`, placeIn(head.toString("latin1", 0, zero)));
  }
  return said ?? "utf-8";
}

/** The bytes of the mark at the start of a text of UTF-16. */
export function markLength(head: Buffer, encoding: string): number {
  const start = head.toString("hex", 0, 2);
  return encoding.startsWith("utf-16") && (start === "fffe" || start === "feff") ? 2 : 0;
}

/** ASCII in UTF-16 has a zero in every second byte. */
function guessUtf16(head: Buffer): string | undefined {
  const zeros = [0, 0] as [number, number];
  for (let i = 0; i < head.length; i++) if (head[i] === 0) zeros[i % 2 === 0 ? 0 : 1]++;
  const [even, odd] = zeros;
  if (4 * (even + odd) < head.length) return undefined;
  if (odd > 4 * even) return "utf-16le";
  return even > 4 * odd ? "utf-16be" : undefined;
}

/** The place behind a text. */
function placeIn(before: string): Place {
  const line = before.split("\n");
  return { line: line.length, column: (line.at(-1) as string).length + 1 };
}

/** A text in UTF-8 that is written in another encoding. Rejects with InputError at the first bytes that are not. */
export async function* toUtf8(pieces: AsyncIterable<Buffer>, encoding: string): AsyncGenerator<Buffer> {
  const decode = encoding.startsWith("utf-16") ? utf16(encoding === "utf-16be") : byTable(encoding);
  let line = 1;
  let column = 1;
  function* utf8(text: string, fault: RegExp): Generator<Buffer> {
    const wrong = fault.exec(text)?.index ?? -1;
    const good = wrong < 0 ? text : text.slice(0, wrong);
    for (let at = good.indexOf("\n"), from = 0; ; at = good.indexOf("\n", from)) {
      if (at < 0) {
        column += good.length - from;
        break;
      }
      line++;
      column = 1;
      from = at + 1;
    }
    if (wrong >= 0) {
      throw new InputError(`what is written here is not ${encoding}: is --encoding right, and the input whole?`, {
        line,
        column,
      });
    }
    yield Buffer.from(text);
  }
  for await (const piece of pieces) yield* utf8(decode.piece(piece), decode.fault);
  yield* utf8(decode.piece(undefined), decode.fault);
}

/** Decodes piece by piece; `undefined` is the end. What `fault` finds in the text could not be decoded. */
interface Decoder {
  piece(bytes: Buffer | undefined): string;
  readonly fault: RegExp;
}

/** All of its modes but this one are wrong for windows-1252 in some version of Node. */
function byTable(encoding: string): Decoder {
  const decoder = new TextDecoder(encoding);
  return {
    piece: (bytes) => (bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode()),
    fault: /\uFFFD/,
  };
}

/** By hand, for a replacement character may be part of the text itself. */
function utf16(big: boolean): Decoder {
  let rest: Buffer = Buffer.alloc(0);
  return {
    piece(bytes) {
      const all = bytes ? Buffer.concat([rest, bytes]) : rest;
      const whole = bytes ? wholeUnits(all, big) : all.length;
      rest = Buffer.from(all.subarray(whole));
      // Half a unit at the end is as wrong as half a pair.
      if (!bytes && whole % 2 === 1) return "\uD800";
      const units = Buffer.from(all.subarray(0, whole));
      return (big ? units.swap16() : units).toString("utf16le");
    },
    fault: /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/,
  };
}

/** How many bytes of it are whole characters, so far. */
function wholeUnits(bytes: Buffer, big: boolean): number {
  const whole = bytes.length - (bytes.length % 2);
  const last = whole >= 2 ? (big ? bytes.readUInt16BE(whole - 2) : bytes.readUInt16LE(whole - 2)) : 0;
  return last >= 0xd800 && last < 0xdc00 ? whole - 2 : whole;
}
