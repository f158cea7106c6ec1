import type { Condition, Group, Key, Operation, Ttl } from "../../port/index.ts";
import { weightOf, type Command } from "./commands.ts";
import { recordBytes, writeRecord } from "./record.ts";
import { code, condition, firstBytes, flag, headerBytes, keptBytes, mark, ttl } from "./wire.ts";

const marksOf: Readonly<Partial<Record<Operation["op"], number>>> = {
  set: mark.values,
  floor: mark.values,
  touch: mark.values | mark.touches,
};

/**
 * Writes groups into memory that is shared with the commit thread, and grows as needed. Shared, because to move a
 * buffer back and forth costs either side a new object to collect for each batch.
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
    let marks = 0;
    for (const { op } of group.ops) marks |= marksOf[op] ?? 0;
    const start = this.#header(marks, group.guards?.length ?? 0, group.ops.length);
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
    const start = this.#header(mark.command, 0, weightOf(command));
    this.#string(JSON.stringify(command));
    return this.#close(start);
  }

  /** Has the commit thread pass over the group at `start`; `false` where it has taken it already. */
  skip(start: number): boolean {
    const found = this.#bytes[start] as number;
    if ((found & mark.taken) !== 0) return false;
    return Atomics.compareExchange(this.#bytes, start, found, mark.skipped) === found;
  }

  #header(marks: number, guards: number, ops: number): number {
    this.#reserve(headerBytes);
    const start = this.#at;
    this.#bytes[start] = marks;
    this.#bytes.writeUInt16LE(guards, start + 1);
    this.#bytes.writeUInt16LE(ops, start + 3);
    this.#at += headerBytes;
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
        this.#byte(flagsOf(op));
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
        this.#byte(code.touch);
        this.#key(op.key);
        this.#condition(op.if);
        this.#ttl(op.ttl);
        this.#byte(flagsOf(op));
        return;
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
    this.#ttl(op.ttl);
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

  #ttl(given: Ttl | undefined): void {
    if (given === undefined) this.#byte(ttl.none);
    else if (given === "keep") this.#byte(ttl.keep);
    else {
      this.#byte(typeof given === "number" ? ttl.ms : ttl.at);
      this.#double(typeof given === "number" ? given : given.at);
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

/** What a `get` or a `touch` asks for beside its key. */
function flagsOf(op: Extract<Operation, { op: "get" | "touch" }>): number {
  let flags = 0;
  if (op.stamped) flags |= op.stamped === "show" ? flag.stamped | flag.show : flag.stamped;
  if (op.op === "get" && op.keyOnly) flags |= flag.keyOnly;
  return flags;
}
