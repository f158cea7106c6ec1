import type { Condition, LockOperation, Ttl } from "../../port/index.ts";
import type { GroupOn, OperationOn } from "../common/view.ts";
import type { Load } from "./reserve.ts";

/*
 * A batch, as the main thread hands it to the commit thread: one buffer, groups one behind the other. Group: mark
 * (1), guards (2), operations (2), length with this header (4). Guard: key, owner, grant (8). Key: length (2), length
 * of its space (2), bytes. Operation: code (1), key, then what the code needs.
 */
export const code = { get: 1, check: 2, set: 3, delete: 4, floor: 5, lock: 6, command: 7, touch: 8 } as const;
export const condition = { none: 0, absent: 1, id: 2 } as const;
export const ttl = { none: 0, ms: 1, keep: 2, at: 3 } as const;
export const flag = { stamped: 1, show: 2, keyOnly: 4, take: 8 } as const;
/**
 * What is to be known of a group before it is read: the record of a touch is written anew, so room is needed for it.
 */
export const mark = { plain: 0, skipped: 1, touches: 2 } as const;

/** What a wired `set` carries: the record as it is stored, with room for when it ends if it has a ttl. */
export interface WiredRecord {
  readonly record: Buffer;
}

/** A group as `decide` takes it, and the session that asks, if one of its operations is on a lock. */
export interface WiredGroup extends GroupOn<WiredKey, WiredRecord> {
  readonly session: string;
}

type WiredOperation = OperationOn<WiredKey, WiredRecord>;

/** A lock operation without its key, and the session that asks. */
type WiredLockOperation = {
  readonly [Name in LockOperation["op"]]: Omit<Extract<LockOperation, { op: Name }>, "lock">;
}[LockOperation["op"]] & {
  readonly session: string;
};

const absent: Condition = { absent: true };

/** Bytes of memory for a batch at first, and how many are kept after one that took more. */
export const firstBytes = 256 * 1024;
export const keptBytes = 4 * 1024 * 1024;

/** Reads what a `BatchWriter` wrote. Byte views are of the batch's own buffer. */
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
      starts.push(this.#bytes[at] === mark.skipped ? -1 : at);
    }
    return starts;
  }

  /** Goes to the group at `start`: its guards and operations come next. */
  open(start: number): { readonly guards: number; readonly ops: number; readonly code: number } {
    this.#at = start + 9;
    const guards = this.#bytes.readUInt16LE(start + 1);
    return { guards, ops: this.#bytes.readUInt16LE(start + 3), code: this.#bytes[this.#at] as number };
  }

  /** What the groups at `starts` are about to do; `sizeOf` tells how large a record is that is touched. */
  load(starts: readonly number[], sizeOf: (key: WiredKey) => number): Load {
    let ops = 0;
    let bytes = 0;
    let values = false;
    for (const start of starts) {
      const group = this.open(start);
      ops += group.guards + group.ops;
      bytes += this.#bytes.readUInt32LE(start + 5);
      if (this.#bytes[start] === mark.touches) {
        for (const op of this.group(group).ops) if (op.op === "touch") bytes += sizeOf(op.key);
      }
      values ||= group.code !== code.delete && group.code !== code.lock && group.code !== code.command;
    }
    return { ops, bytes, values };
  }

  /** The group that was opened. Its bytes are views of the batch. */
  group({ guards, ops }: { readonly guards: number; readonly ops: number }): WiredGroup {
    const group = {
      guards: [] as NonNullable<WiredGroup["guards"]>[number][],
      ops: [] as WiredOperation[],
      session: "",
    };
    for (let i = 0; i < guards; i++) {
      group.guards.push({ lock: this.#key(), owner: this.#string(), grant: this.#double() });
    }
    for (let i = 0; i < ops; i++) {
      const what = this.#byte();
      const key = this.#key();
      if (what === code.lock) {
        const { session, ...op } = JSON.parse(this.#string()) as WiredLockOperation;
        group.ops.push({ ...op, lock: key });
        group.session = session;
      } else group.ops.push(this.#operation(what, key));
    }
    return group;
  }

  /** The command of our own that was opened, which is a group by itself. */
  command(): unknown {
    this.#byte();
    return JSON.parse(this.#string());
  }

  #operation(what: number, key: WiredKey): WiredOperation {
    switch (what) {
      case code.get: {
        const flags = this.#byte();
        const stamped = flags & flag.show ? "show" : (flags & flag.stamped) !== 0;
        return { op: "get", key, stamped, keyOnly: (flags & flag.keyOnly) !== 0 };
      }
      case code.check:
        return { op: "check", key, if: this.#condition() as Condition };
      case code.set:
        return { op: "set", key, if: this.#condition(), ttl: this.#ttl(), record: this.#blob() };
      case code.touch: {
        const [wanted, end, flags] = [this.#condition(), this.#ttl(), this.#byte()];
        return {
          op: "touch",
          key,
          if: wanted,
          ttl: end as Exclude<Ttl, "keep">,
          stamped: (flags & flag.stamped) !== 0,
        };
      }
      case code.delete: {
        const [wanted, flags] = [this.#condition(), this.#byte()];
        return {
          op: "delete",
          key,
          if: wanted,
          stamped: (flags & flag.stamped) !== 0,
          take: (flags & flag.take) !== 0,
        };
      }
      case code.floor:
        return { op: "floor", key, grant: this.#double(), n: this.#double(), keepMs: this.#double() };
      default:
        throw new Error(`there is no operation ${what}`);
    }
  }

  #condition(): Condition | undefined {
    const wanted = this.#byte();
    if (wanted === condition.none) return undefined;
    return wanted === condition.absent ? absent : { id: this.#string() };
  }

  #ttl(): Ttl | undefined {
    const kind = this.#byte();
    if (kind === ttl.none) return undefined;
    if (kind === ttl.keep) return "keep";
    return kind === ttl.ms ? this.#double() : { at: this.#double() };
  }

  #byte(): number {
    return this.#bytes[this.#at++] as number;
  }

  #double(): number {
    this.#at += 8;
    return this.#bytes.readDoubleLE(this.#at - 8);
  }

  #string(): string {
    const start = this.#at + 4;
    this.#at = start + this.#bytes.readUInt32LE(this.#at);
    return this.#bytes.toString("utf8", start, this.#at);
  }

  #blob(): Buffer {
    const start = this.#at + 4;
    this.#at = start + this.#bytes.readUInt32LE(this.#at);
    return this.#bytes.subarray(start, this.#at);
  }

  #key(): WiredKey {
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
