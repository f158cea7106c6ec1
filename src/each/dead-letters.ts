import { createWriteStream } from "node:fs";
import { rename } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

import { drawId } from "../base/ids.ts";
import type { StateStore } from "../entries/index.ts";
import type { Opening } from "./input/source.ts";
import { writeExact } from "./input/numbers.ts";
import { RecordReader } from "./input/reader.ts";
import { deadPrefix, type DeadLetter } from "./layout.ts";

/** A dead letter as it is exported, one JSON value a line. */
export interface ExportedDeadLetter {
  /** The record number. */
  readonly id: number;
  readonly key?: string;
  readonly error: { readonly name: string; readonly message: string };
  /** Its attempts that failed, or that may have been lost with a worker; 0 for a record that is no item. */
  readonly attempts: number;
  /** The item; absent where the record cannot be parsed. */
  readonly item?: unknown;
  /** The record as it is written, where it cannot be parsed. */
  readonly raw?: string;
}

/**
 * Writes all dead letters of a job to a file, replaced as a whole, in no particular order. The items are read from the
 * input again.
 */
export async function exportDeadLetters(
  store: StateStore<unknown>,
  partitions: number,
  opening: Opening,
  size: number,
  path: string,
): Promise<void> {
  const draft = `${path}.${drawId()}.tmp`;
  await pipeline(lines(store, partitions, opening, size), createWriteStream(draft));
  await rename(draft, path);
}

async function* lines(
  store: StateStore<unknown>,
  partitions: number,
  opening: Opening,
  size: number,
): AsyncGenerator<string> {
  for (let partition = 0; partition < partitions; partition++) {
    for await (const { value } of store.list({ prefix: deadPrefix(partition) })) {
      yield `${writeExact(await exported(value as DeadLetter, opening, size))}\n`;
    }
  }
}

async function exported(letter: DeadLetter, { file, format }: Opening, size: number): Promise<ExportedDeadLetter> {
  const { id, offset, key, error, attempts } = letter;
  const reader = new RecordReader(file, size, format, { id, offset }, 4096);
  const { records } = await reader.read();
  const text = records[0]?.text;
  const parsed = format.parse(text);
  const what = parsed.ok ? { item: parsed.item } : text === undefined ? {} : { raw: text };
  return { id, ...(key !== undefined && { key }), error, attempts, ...what };
}
