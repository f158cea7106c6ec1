import type { Condition, Group, Key, LockOperation, Operation } from "../../port/index.ts";
import { recordBytes, writeRecord } from "./layout.ts";
import type { Load } from "./reserve.ts";
import type { Command } from "./commands.ts";

/*
 * A batch, as the main thread hands it to the commit thread: one buffer, groups one behind the other.
 * Group: skip (1), guards (2), operations (2), length with this header (4). Guard: key, owner, grant (8). Key: length (2), length of its space (2), bytes.
 * Operation: code (1), key, then what the code needs.
 */
export const code = { get: 1, check: 2, set: 3, delete: 4, floor: 5, lock: 6, command: 7 } as const;
export const condition = { none: 0, absent: 1, id: 2 } as const;
export const ttl = { none: 0, ms: 1, keep: 2 } as const;

/** A lock operation without its key, and the session that asks. */
export type WiredLockOperation = {
  readonly [Name in LockOperation["op"]]: Omit<Extract<LockOperation, { op: Name }>, "lock">;
}[LockOperation["op"]] & {
  readonly session: string;
};

/** Bytes of memory for a batch at first, and how many are kept after one that took more. */
export const firstBytes = 256 * 1024;
export const keptBytes = 4 * 1024 * 1024;

/**
 * Writes groups into memory that is shared with the commit thread, and grows as needed. Shared, because to move a buffer back
 * and forth costs either side a new object to collect for each batch.
 */
export class BatchWriter {
  /** What it writes into; another one once it had to grow. */
  memory = new SharedArrayBuffer(firstBytes);
  #bytes = Buffer.from(this.memory);
  #at = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  /** Starts anew, once the commit thread is done with what was written. */
  reset(): void {
    this.#at = 0;
    if (this.#bytes.length > keptBytes) this.#move(firstBytes);
  }

  /** Writes a group; where it starts, for {@link skip}. */
  group(group: Group, session: string): number {
    const start = this.#header(group.guards?.length ?? 0, group.ops.length);
    for (const guard of group.guards ?? []) {
      this.#key(guard.lock);
      this.#string(guard.owner);
      this.#double(guard.grant);
    }
    for (const op of group.ops) this.#operation(op, session);
    return this.#close(start);
  }

  /** Writes a command of our own as a group. */
  command(command: Command): number {
    const start = this.#header(0, 1);
    this.#byte(code.command);
    this.#string(JSON.stringify(command));
    return this.#close(start);
  }

  /** Has the commit thread pass over the group at `start`. */
  skip(start: number): void {
    this.#bytes[start] = 1;
  }

  #header(guards: number, ops: number): number {
    this.#reserve(9);
    const start = this.#at;
    this.#bytes[start] = 0;
    this.#bytes.writeUInt16LE(guards, start + 1);
    this.#bytes.writeUInt16LE(ops, start + 3);
    this.#at += 9;
    return start;
  }

  #close(start: number): number {
    this.#bytes.writeUInt32LE(this.#at - start, start + 5);
    return start;
  }

  #operation(op: Operation, session: string): void {
    switch (op.op) {
      case "get":
        this.#byte(code.get);
        this.#key(op.key);
        this.#byte(op.stamped ? 1 : 0);
        return;
      case "check":
        this.#byte(code.check);
        this.#key(op.key);
        this.#condition(op.if);
        return;
      case "set":
        this.#set(op);
        return;
      case "touch":
        throw new Error("touch is not written yet");
      case "delete":
        this.#byte(code.delete);
        this.#key(op.key);
        this.#condition(op.if);
        return;
      case "floor":
        this.#byte(code.floor);
        this.#key(op.key);
        this.#double(op.grant);
        this.#double(op.n);
        this.#double(op.keepMs);
        return;
      case "acquire":
      case "extend":
      case "release":
      case "steal":
      case "inspect": {
        const { lock, ...rest } = op;
        this.#byte(code.lock);
        this.#key(lock);
        this.#string(JSON.stringify({ ...rest, session }));
      }
    }
  }

  #set(op: Extract<Operation, { op: "set" }>): void {
    this.#byte(code.set);
    this.#key(op.key);
    this.#condition(op.if);
    this.#byte(op.ttl === undefined ? ttl.none : op.ttl === "keep" ? ttl.keep : ttl.ms);
    if (typeof op.ttl === "number") this.#double(op.ttl);
    this.#reserve(4 + recordBytes(op.id, op.value, op.stamps));
    const start = this.#at + 4;
    this.#at = writeRecord(this.#bytes, start, op.id, op.value, op.stamps, op.ttl !== undefined);
    this.#bytes.writeUInt32LE(this.#at - start, start - 4);
  }

  #condition(wanted: Condition | undefined): void {
    if (!wanted) this.#byte(condition.none);
    else if ("absent" in wanted) this.#byte(condition.absent);
    else {
      this.#byte(condition.id);
      this.#string(wanted.id);
    }
  }

  #key({ space, key }: Key): void {
    const spaceBytes = space.id.length * 3;
    this.#reserve(4 + spaceBytes + key.length * 3);
    const spaceLength = this.#bytes.write(space.id, this.#at + 4);
    const keyLength = this.#bytes.write(key, this.#at + 4 + spaceLength);
    this.#bytes.writeUInt16LE(spaceLength + keyLength, this.#at);
    this.#bytes.writeUInt16LE(spaceLength, this.#at + 2);
    this.#at += 4 + spaceLength + keyLength;
  }

  #string(text: string): void {
    this.#reserve(4 + text.length * 3);
    const length = this.#bytes.write(text, this.#at + 4);
    this.#bytes.writeUInt32LE(length, this.#at);
    this.#at += 4 + length;
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
  }

  #double(value: number): void {
    this.#reserve(8);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#bytes.length) return;
    const written = this.#bytes.subarray(0, this.#at);
    this.#move(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.set(written);
  }

  #move(bytes: number): void {
    this.memory = new SharedArrayBuffer(bytes);
    this.#bytes = Buffer.from(this.memory);
  }
}

/** Reads what a {@link BatchWriter} wrote. Byte views are of the batch's own buffer. */
export class BatchReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Where the groups start, -1 for a skipped one. */
  starts(): number[] {
    const starts: number[] = [];
    for (let at = 0; at < this.#bytes.length; at += this.#bytes.readUInt32LE(at + 5)) {
      starts.push(this.#bytes[at] === 1 ? -1 : at);
    }
    return starts;
  }

  /** Goes to the group at `start`: its guards and operations come next. */
  open(start: number): { readonly guards: number; readonly ops: number; readonly code: number } {
    this.#at = start + 9;
    const guards = this.#bytes.readUInt16LE(start + 1);
    return { guards, ops: this.#bytes.readUInt16LE(start + 3), code: this.#bytes[this.#at] as number };
  }

  /** What the groups at `starts` are about to do. */
  load(starts: readonly number[]): Load {
    let ops = 0;
    let bytes = 0;
    let values = false;
    for (const start of starts) {
      const group = this.open(start);
      ops += group.guards + group.ops;
      bytes += this.#bytes.readUInt32LE(start + 5);
      values ||= group.code !== code.delete && group.code !== code.lock && group.code !== code.command;
    }
    return { ops, bytes, values };
  }

  byte(): number {
    return this.#bytes[this.#at++] as number;
  }

  double(): number {
    this.#at += 8;
    return this.#bytes.readDoubleLE(this.#at - 8);
  }

  string(): string {
    const start = this.#at + 4;
    this.#at = start + this.#bytes.readUInt32LE(this.#at);
    return this.#bytes.toString("utf8", start, this.#at);
  }

  blob(): Buffer {
    const start = this.#at + 4;
    this.#at = start + this.#bytes.readUInt32LE(this.#at);
    return this.#bytes.subarray(start, this.#at);
  }

  key(): WiredKey {
    const length = this.#bytes.readUInt16LE(this.#at);
    const space = this.#bytes.readUInt16LE(this.#at + 2);
    this.#at += 4 + length;
    return { bytes: this.#bytes.subarray(this.#at - length, this.#at), space };
  }
}

/** A key's bytes, and how many of them are its space's. */
export interface WiredKey {
  readonly bytes: Buffer;
  readonly space: number;
}
