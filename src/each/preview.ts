import { keyFault, keyOf } from "./key.ts";
import type { Compression } from "./input/compression.ts";
import type { FormatName } from "./input/formats.ts";
import { firstRecords } from "./input/look.ts";
import { openInput } from "./input/open.ts";
import { lineAt } from "./input/source.ts";
import { count, resolveInput } from "./options.ts";
import type { EachOptions } from "./types.ts";

/** Items that are shown unless told. */
const someItems = 5;

/** Options of {@link previewEach}: those of `each` that are about the input. */
export interface PreviewOptions extends Pick<EachOptions, "key" | "format" | "delimiter" | "encoding" | "bigIntegers"> {
  /** How many items to show, 0 to 1,000. Default: 5. */
  readonly items?: number | undefined;
}

/** What an input is, and its first items. */
export interface EachPreview {
  readonly format: FormatName;
  /** How it is compressed; absent: it is not. */
  readonly compression?: Compression;
  /** What its text is written in, by the name that `TextDecoder` has for it. */
  readonly encoding: string;
  /** What parts the fields of CSV. */
  readonly delimiter?: string;
  /** The names in the header of CSV. */
  readonly columns?: readonly string[];
  /** The size of its text in UTF-8, in bytes. */
  readonly bytes: number;
  /** Its first records, in their order. */
  readonly items: readonly PreviewItem[];
}

/** A record of the input: an item as a handler gets it, or why it would be a dead letter. */
export interface PreviewItem {
  /** The record number, as in `ctx.id`. */
  readonly id: number;
  /** The line that it starts in, from 1. */
  readonly line: number;
  /** As in `ctx.key`. */
  readonly key?: string;
  readonly item?: unknown;
  /** Why it can be given to no handler. */
  readonly error?: string;
}

/**
 * Shows the first items of an input as a handler would get them. The whole input is looked at as `each` does, so one
 * that is taken here is taken there. Nothing is stored, and no store is opened.
 *
 * Rejects with InputError where the input cannot be meant as it would be read, and with InvalidArgumentError where an
 * option is wrong or the input cannot be read.
 */
export async function previewEach(
  input: string | URL | AsyncIterable<string | Uint8Array>,
  options: PreviewOptions = {},
): Promise<EachPreview> {
  const { from, reading, key } = resolveInput(input, options);
  const most = count(options.items, "items", 0, 1_000) ?? someItems;
  const { source, opening, delimiter, compression, encoding, close } = await openInput(from, reading, key);
  try {
    const { size } = source.fingerprint;
    const items: PreviewItem[] = [];
    for (const { record, parsed } of await firstRecords(opening, size, most)) {
      const place = { id: record.id, line: await lineAt(opening.file, record.offset) };
      if (!parsed.ok) items.push({ ...place, error: parsed.fault });
      else if (key === undefined) items.push({ ...place, item: parsed.item });
      else {
        const own = keyOf(parsed.item, key);
        items.push({
          ...place,
          ...(own === undefined ? { error: keyFault(parsed.item, key) } : { key: own }),
          item: parsed.item,
        });
      }
    }
    return {
      format: reading.format,
      ...(compression && { compression }),
      encoding,
      ...(opening.header && { delimiter, columns: opening.header.columns }),
      bytes: size,
      items,
    };
  } finally {
    await close();
  }
}
