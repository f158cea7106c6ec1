import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline, type Transform } from "node:stream";
import * as zlib from "node:zlib";

import { InputError } from "./input-error.ts";

/** How an input is compressed that is read as it is. */
export type Compression = "gzip" | "zstd";

/** Its first bytes tell what a file is. */
const kinds: readonly { readonly name: string; readonly magic: string; readonly unpack: string }[] = [
  { name: "gzip", magic: "1f8b", unpack: "gzip -dc" },
  { name: "zstd", magic: "28b52ffd", unpack: "zstd -dc" },
  { name: "bzip2", magic: "425a68", unpack: "bzip2 -dc" },
  { name: "xz", magic: "fd377a585a00", unpack: "xz -dc" },
  { name: "lz4", magic: "04224d18", unpack: "lz4 -dc" },
  { name: "compress", magic: "1f9d", unpack: "uncompress -c" },
  { name: "7z", magic: "377abcaf271c", unpack: "7z e -so" },
  { name: "zip", magic: "504b0304", unpack: "unzip -p" },
];

/** What is decompressed at a time, in bytes. */
const pieceBytes = 256 * 1024;

/** How the file is compressed that begins so; undefined: it is not. Throws InputError for a way that is not known. */
export function compressionOf(head: Buffer): Compression | undefined {
  const start = head.toString("hex", 0, 8);
  const kind = kinds.find(({ magic }) => start.startsWith(magic));
  if (!kind) return undefined;
  const { name, unpack } = kind;
  const other = `${unpack} FILE | holdfast each - ...`;
  if (name === "gzip") return name;
  if (name !== "zstd") {
    const sheet = name === "zip" ? " (as the sheets of Excel are: save those as CSV)" : "";
    throw new InputError(`the input is compressed by ${name}${sheet}: decompress it, as in ${other}`);
  }
  if (zstd() === undefined) {
    throw new InputError(
      `the input is compressed by zstd, which Node reads from 22.15 and 23.8 on, and this is ${process.version}: ` +
        `use that, or decompress it, as in ${other}`,
    );
  }
  return name;
}

/** The content of a compressed file. Rejects with InputError where that is damaged or cut off. */
export async function* decompressed(path: string, how: Compression): AsyncGenerator<Buffer> {
  const { size } = await stat(path);
  // What makes a decompressor for zstd ends with its first frame, and a file may have many.
  for (let offset = 0; offset < size;) {
    const unpacked = how === "gzip" ? zlib.createGunzip() : (zstd() as () => Decompressor)();
    const read = createReadStream(path, { start: offset, highWaterMark: pieceBytes });
    pipeline(read, unpacked, () => undefined); // the reader of `unpacked` is told of errors
    try {
      yield* unpacked as AsyncIterable<Buffer>;
    } catch (error) {
      const { message } = error as Error;
      throw new InputError(
        `the input is damaged or was cut off: it cannot be decompressed by ${how} (${message})`,
        undefined,
        error,
      );
    } finally {
      read.destroy();
    }
    if (how === "gzip") return;
    offset += unpacked.bytesWritten;
  }
}

type Decompressor = Transform & { readonly bytesWritten: number };

/** Absent from the oldest versions of Node that are supported. */
function zstd(): (() => Decompressor) | undefined {
  return (zlib as { readonly createZstdDecompress?: () => Decompressor }).createZstdDecompress;
}
