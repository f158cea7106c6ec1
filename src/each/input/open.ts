import { resolve } from "node:path";

import type { Compression } from "./compression.ts";
import type { FormatName } from "./formats.ts";
import { lookAtFirst, lookAtHeader, type Said } from "./look.ts";
import type { BigIntegers } from "./numbers.ts";
import { assertUnchanged, openRecords, readWhole, see, type Opening, type Source } from "./source.ts";
import { spool } from "./spool.ts";
import { asText, type TextFile } from "./text.ts";

/** A file, or a stream that is spooled to one. */
export type Input = { readonly path: string } | { readonly stream: AsyncIterable<string | Uint8Array> };

/** How an input is to be read. */
export interface Reading {
  readonly format: FormatName;
  /** Undefined: a comma, and the input is looked at whether it is that. */
  readonly delimiter: string | undefined;
  /** Undefined: by its mark, else UTF-8, and every line of it. */
  readonly encoding: string | undefined;
  /** Undefined: there may be none. */
  readonly bigIntegers: BigIntegers | undefined;
}

/** An input that was looked at, and is open. */
export interface OpenInput {
  readonly source: Source;
  readonly opening: Opening;
  readonly delimiter: string;
  readonly compression: Compression | undefined;
  readonly encoding: string;
  /** Closes it, and removes what was copied of it. */
  close(): Promise<void>;
}

/**
 * Opens an input. Rejects with InputError, which says the place and the remedy, where it cannot be meant as it would be
 * read, and with InvalidArgumentError where it cannot be read at all.
 */
export async function openInput(input: Input, reading: Reading, key: string | undefined): Promise<OpenInput> {
  if ("path" in input) return openFile(resolve(input.path), reading, key);
  const copy = await spool(input.stream);
  try {
    const open = await openFile(copy.path, reading, key);
    // What was decompressed or decoded is a copy of its own.
    if (open.source.path !== copy.path) copy.remove();
    return {
      ...open,
      async close() {
        await open.close();
        copy.remove();
      },
    };
  } catch (error) {
    copy.remove();
    throw error;
  }
}

async function openFile(path: string, reading: Reading, key: string | undefined): Promise<OpenInput> {
  const { format, bigIntegers, encoding } = reading;
  const delimiter = reading.delimiter ?? ",";
  const seen = await see(path);
  const text = await asText(path, encoding);
  let opening: Opening | undefined;
  const close = async (): Promise<void> => {
    await opening?.file.close();
    text.remove();
  };
  try {
    await assertUnchanged({ path, seen }); // also of what was copied
    const own = text.path === path ? seen : await see(text.path);
    const expected = { format, delimiter, bigIntegers, brokenLines: encoding === "utf-8" };
    opening = await openRecords(text.path, own.size, expected);
    const said: Said = { ...expected, key, delimiterGiven: reading.delimiter !== undefined };
    lookAtHeader(opening, said);
    const first = opening;
    const source = await readWhole(text.path, own, first, expected, () => lookAtFirst(first, own.size, said));
    return { source, opening, delimiter, ...facts(text), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function facts({ compression, encoding }: TextFile): Pick<OpenInput, "compression" | "encoding"> {
  return { compression, encoding };
}
