import type { Condition, LockOperation, Ttl } from "../../port/index.ts";
import type { GroupOn, OperationOn } from "../common/view.ts";

/*
 * A batch, as the main thread hands it to the commit thread: one buffer, groups one behind the other. Group: marks
 * (1), guards (2), operations (2), length with this header (4). Guard: key, owner, grant (8). Key: length (2), length
 * of its space (2), bytes. Operation: code (1), key, then what the code needs.
 */
export const code = { get: 1, check: 2, set: 3, delete: 4, floor: 5, lock: 6, touch: 8 } as const;
export const condition = { none: 0, absent: 1, id: 2 } as const;
export const ttl = { none: 0, ms: 1, keep: 2, at: 3 } as const;
export const flag = { stamped: 1, show: 2, keyOnly: 4 } as const;
/**
 * What is to be known of a group before it is read, as bits. The record of a touch is written anew, so room is needed
 * for it. A command of our own is a group by itself. One that is `taken` is in a transaction; until then the main
 * thread may have it `skipped`.
 */
export const mark = { skipped: 1, command: 2, values: 4, touches: 8, taken: 16 } as const;

/** A group of a batch: its place among all of them, and where it starts. */
export interface Placed {
  readonly index: number;
  readonly at: number;
}

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

/** Bytes before the guards of a group. */
export const headerBytes = 9;
/** Bytes of memory for a batch at first, and how many are kept after one that took more. */
export const firstBytes = 256 * 1024;
export const keptBytes = 4 * 1024 * 1024;

/** What groups are about to do. */
export interface Load {
  /** Guards and operations. */
  readonly ops: number;
  /** Size of them all with what they write, in bytes. */
  readonly bytes: number;
  /** Whether they may write values, not only delete records and take, extend or release locks. */
  readonly values: boolean;
}

/** Reads what a `BatchWriter` wrote. Byte views are of the batch's own buffer. */
export class BatchReader {
  readonly #bytes: Buffer;
  readonly #shared: Uint8Array;
  #at = 0;

  /** `bytes` is a copy of the first ones of `shared`, which is the writer's memory. */
  constructor(bytes: Buffer, shared: Uint8Array) {
    this.#bytes = bytes;
    this.#shared = shared;
  }

  /** Those that are not skipped. */
  groups(): readonly Placed[] {
    const groups: Placed[] = [];
    for (let at = 0, index = 0; at < this.#bytes.length; at += this.#lengthOf(at), index++) {
      if (this.#bytes[at] !== mark.skipped) groups.push({ index, at });
    }
    return groups;
  }

  /** Takes the group at `start`, which is about to have its effect; `false` where it is to be skipped after all. */
  take(start: number): boolean {
    const own = this.#bytes[start] as number;
    const found = Atomics.compareExchange(this.#shared, start, own, own | mark.taken);
    return found === own || found === (own | mark.taken);
  }

  /** Whether any of the groups is still to have its effect. */
  isWanted(groups: readonly Placed[]): boolean {
    return groups.some(({ at }) => Atomics.load(this.#shared, at) !== mark.skipped);
  }

  /** What the groups are about to do; `sizeOf` tells how large a record is that is touched. */
  load(groups: readonly Placed[], sizeOf: (key: WiredKey) => number): Load {
    let ops = 0;
    let bytes = 0;
    let marks = 0;
    for (const { at: start } of groups) {
      const own = this.#bytes[start] as number;
      marks |= own;
      ops += this.#bytes.readUInt16LE(start + 1) + this.#bytes.readUInt16LE(start + 3);
      bytes += this.#lengthOf(start);
      if (own & mark.touches) for (const op of this.group(start).ops) if (op.op === "touch") bytes += sizeOf(op.key);
    }
    return { ops, bytes, values: (marks & mark.values) !== 0 };
  }

  /** The command of our own at `start`; `undefined` where a group is. */
  command(start: number): unknown {
    if (this.#bytes[start] !== mark.command) return undefined;
    this.#at = start + headerBytes;
    return JSON.parse(this.#string());
  }

  /** The group at `start`. Its bytes are views of the batch. */
  group(start: number): WiredGroup {
    const guards = this.#bytes.readUInt16LE(start + 1);
    const ops = this.#bytes.readUInt16LE(start + 3);
    this.#at = start + headerBytes;
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

  #lengthOf(start: number): number {
    return this.#bytes.readUInt32LE(start + 5);
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
      case code.delete:
        return { op: "delete", key, if: this.#condition() };
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
