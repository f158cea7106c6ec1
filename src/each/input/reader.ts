import type { FileHandle } from "node:fs/promises";

import { InvalidArgumentError } from "../../base/errors.ts";
import type { Position } from "../progress.ts";
import { maxRecordBytes, splitRecords, type Cut, type Split } from "./records.ts";

/** Bytes of a read: some thousand records at a time. */
const blockBytes = 256 * 1024;

/** A piece of the input. */
export interface Block extends Split {
  readonly from: Position;
  /** No record follows. */
  readonly end: boolean;
}

/** Reads a file's records from a position on, block by block, up to a size that was fixed beforehand. */
export class RecordReader {
  readonly #file: FileHandle;
  readonly #size: number;
  readonly #cut: Cut;
  readonly #blockBytes: number;
  #position: Position;
  /** Used again for each block: records are copied out of it. */
  #buffer: Buffer = Buffer.alloc(0);

  constructor(file: FileHandle, size: number, cut: Cut, from: Position, bytes = blockBytes) {
    this.#blockBytes = bytes;
    this.#file = file;
    this.#size = size;
    this.#cut = cut;
    this.#position = from;
  }

  /** Where the next block starts. */
  get position(): Position {
    return this.#position;
  }

  /** Goes on from another position. Must not be called while a read is pending. */
  seek(position: Position): void {
    this.#position = position;
  }

  /** The next block. It may hold no record where lines are blank. */
  async read(): Promise<Block> {
    const from = this.#position;
    for (let bytes = this.#blockBytes; ; bytes = Math.min(bytes * 4, maxRecordBytes + blockBytes)) {
      const length = Math.max(Math.min(bytes, this.#size - from.offset), 0);
      if (this.#buffer.length < length) this.#buffer = Buffer.allocUnsafeSlow(length);
      const buffer = this.#buffer.subarray(0, length);
      await this.#fill(buffer, from.offset);
      const last = from.offset + length >= this.#size;
      const { records, next } = splitRecords(buffer, from, this.#cut, last);
      if (records.length === 0 && !last && next.offset === from.offset) continue; // a record longer than the block
      this.#position = next;
      if (bytes > this.#blockBytes) this.#buffer = Buffer.alloc(0); // long records are rare
      return { from, records, next, end: last };
    }
  }

  async #fill(buffer: Buffer, offset: number): Promise<void> {
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await this.#file.read(buffer, filled, buffer.length - filled, offset + filled);
      if (bytesRead === 0) throw new InvalidArgumentError("the input became shorter while it was read");
      filled += bytesRead;
    }
  }
}
