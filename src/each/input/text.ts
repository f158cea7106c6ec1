import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";

import { compressionOf, decompressed, type Compression } from "./compression.ts";
import { encodingOf, markLength, toUtf8 } from "./encoding.ts";
import { InputError } from "./input-error.ts";
import { spool } from "./spool.ts";

/** An input as a file of UTF-8: the input itself, or a copy. */
export interface TextFile {
  readonly path: string;
  readonly compression: Compression | undefined;
  readonly encoding: string;
  /** Removes the copy, if it is one. */
  remove(): void;
}

/** As much of an input tells what it is, in bytes. */
const headBytes = 64 * 1024;

/**
 * An input as text: what is compressed, or written in another encoding than UTF-8, is copied to a temporary file, so
 * that every place in it can be reached again. Rejects with InputError where it cannot be read as text.
 */
export async function asText(path: string, said: string | undefined): Promise<TextFile> {
  const head = await headOf(path);
  const compression = compressionOf(head);
  let encoding = compression ? "" : textEncoding(head, said);
  if (encoding === "utf-8") return { path, compression, encoding, remove: () => undefined };
  const raw = compression ? decompressed(path, compression) : (createReadStream(path) as AsyncIterable<Buffer>);
  const copy = await spool(text(raw, said, (found) => (encoding = found)));
  return { ...copy, compression, encoding };
}

async function* text(
  raw: AsyncIterable<Buffer>,
  said: string | undefined,
  tell: (encoding: string) => void,
): AsyncGenerator<Buffer> {
  const pieces = raw[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  try {
    while (head.length < headBytes) {
      const next = await pieces.next();
      if (next.done) break;
      head = Buffer.concat([head, next.value]);
    }
    if (compressionOf(head)) throw new InputError("the input was compressed twice: decompress it once");
    const encoding = textEncoding(head.subarray(0, headBytes), said);
    tell(encoding);
    const all = after(head.subarray(markLength(head, encoding)), pieces);
    yield* encoding === "utf-8" ? all : toUtf8(all, encoding);
  } finally {
    await pieces.return?.();
  }
}

async function* after(head: Buffer, pieces: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value;
}

function textEncoding(head: Buffer, said: string | undefined): string {
  const encoding = encodingOf(head, said);
  const ascii = !encoding.startsWith("utf-16");
  const end = ascii ? head.indexOf("\r") : -1;
  if (end >= 0 && end < head.length - 1 && !head.includes("\n")) {
    throw new InputError(
      "the line ends with a carriage return alone, and a line has to end with a newline: " +
        String.raw`write the input anew, as in tr '\r' '\n' < FILE | holdfast each - ...`,
      { line: 1, column: end + 1 },
    );
  }
  return encoding;
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(headBytes);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(head, length, headBytes - length, length);
      length += bytesRead;
      if (bytesRead === 0 || length === headBytes) return head.subarray(0, length);
    }
  } finally {
    await file.close();
  }
}
