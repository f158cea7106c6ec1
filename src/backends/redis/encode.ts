import type { Key } from "../../base/keys.ts";
import type { Condition, Group, Operation } from "../../port/index.ts";
import type { Layout } from "./layout.ts";
import { encodeRecord, joined } from "./record.ts";
import type { Arg } from "./router.ts";

type Acquire = Extract<Operation, { op: "acquire" }>;

/** Longest time that is told to the server, in ms: some thirty years. */
const longest = 1_000_000_000_000;

/** What the arguments of a call depend on. */
export interface Encoding {
  readonly layout: Layout;
  /** The channel of the session's grants. */
  readonly channel: string;
  /** A script may read no stamps, for they may be elsewhere: that is done apart. */
  readonly stampsApart: boolean;
  /** A script may only use keys that it was given. */
  readonly declareAll: boolean;
}

/** The keys and the arguments of one call of the script; see `lua/groups.ts`. */
export class Arguments {
  readonly keys: string[];
  readonly args: Arg[];
  /** Roughly, of the values. */
  bytes = 0;
  readonly #encoding: Encoding;
  /** Locks whose queue may be looked at. */
  readonly #queued: string[] = [];
  /** Of the acquires that come next: most that go together have the same. */
  #ttl: number | undefined;
  #claimMs: number | undefined;

  constructor(encoding: Encoding, clock: string) {
    this.#encoding = encoding;
    this.keys = [clock];
    this.args = [encoding.channel];
  }

  /** A command that runs the script. `everyKey`: also names the keys that the script finds by itself. */
  command(name: string, script: string, everyKey = this.#encoding.declareAll): Arg[] {
    const queues = everyKey ? this.#queued.flatMap((lock) => this.#encoding.layout.queue(lock)) : [];
    const count = this.keys.length + queues.length;
    return [name, script, String(count)].concat(this.keys, queues, this.args as string[]);
  }

  add(group: Group): void {
    const { guards, ops } = group;
    if (ops.length === 1 && guards === undefined && this.#quick(ops[0] as Operation)) return;
    this.args.push(String(ops.length + (guards?.length ?? 0)));
    if (guards !== undefined) {
      for (const { lock, owner, grant } of guards) {
        this.#lock(lock, false);
        this.args.push("G", owner, String(grant));
      }
    }
    for (const op of ops) this.#operation(op);
  }

  /** The short form of a group that is a plain operation, if it is: see `lua/quick.ts`. */
  #quick(op: Operation): boolean {
    const { args, keys } = this;
    const { layout, stampsApart } = this.#encoding;
    switch (op.op) {
      case "acquire":
        return this.#quickAcquire(op);
      case "release":
        if (op.markMs !== undefined) return false;
        this.#lock(op.lock, true);
        args.push("l", op.owner);
        return true;
      case "extend":
        if (op.raise !== undefined) return false;
        this.#lock(op.lock, false);
        args.push("e", op.owner, String(op.grant), time(op.ttl));
        return true;
      case "get":
        if (op.stamped !== true || stampsApart) return false;
        keys.push(layout.name(op.key));
        args.push("v");
        return true;
      case "set": {
        if (op.ttl === "keep" || typeof op.ttl === "object" || (op.if === undefined) === (op.ttl === undefined))
          return false;
        const encoded = encodeRecord(op.id, op.value, op.stamps, layout, op.ttl !== undefined);
        keys.push(layout.name(op.key));
        if (op.ttl === undefined) args.push("c", conditionOf(op.if), joined(encoded));
        else args.push("p", time(op.ttl), encoded.head, encoded.tail);
        this.bytes += op.value.length;
        return true;
      }
      default:
        return false;
    }
  }

  #quickAcquire({ lock, owner, mode, limit, ttl, wait, info }: Acquire): boolean {
    const size = Buffer.byteLength(owner);
    if (mode === "shared" || limit !== undefined || size > 127) return false;
    const claimMs = wait?.claimMs;
    if (ttl !== this.#ttl || claimMs !== this.#claimMs) {
      this.#ttl = ttl;
      this.#claimMs = claimMs;
      this.args.push("t", time(ttl), claimMs === undefined ? "" : time(claimMs));
    }
    this.#lock(lock, true);
    this.args.push("a", String.fromCharCode(size) + owner + info);
    return true;
  }

  #operation(op: Operation): void {
    const { args, keys } = this;
    const { layout, stampsApart } = this.#encoding;
    switch (op.op) {
      case "touch":
        throw new Error("touch is not written yet");
      case "get":
        keys.push(layout.name(op.key));
        args.push(op.stamped === true && !stampsApart ? "V" : "R");
        break;
      case "check":
        keys.push(layout.name(op.key));
        args.push("C", conditionOf(op.if));
        break;
      case "set": {
        const ends = op.ttl !== undefined && op.ttl !== "keep";
        const { head, tail } = encodeRecord(op.id, op.value, op.stamps, layout, ends);
        const ttl = op.ttl === undefined ? "" : op.ttl === "keep" ? "k" : time(op.ttl as number);
        keys.push(layout.name(op.key));
        args.push("S", conditionOf(op.if), ttl, head, tail);
        this.bytes += op.value.length;
        break;
      }
      case "delete":
        keys.push(layout.name(op.key));
        args.push("D", conditionOf(op.if));
        break;
      case "floor":
        keys.push(layout.floor(op.key));
        args.push("F", String(op.grant), String(op.n), time(op.keepMs));
        break;
      case "acquire": {
        const { owner, mode, limit, ttl, wait, info } = op;
        this.#lock(op.lock, true);
        const claim = wait === undefined ? "" : time(wait.claimMs);
        args.push("A", owner, mode === "shared" ? "s" : "x", limit === undefined ? "" : String(limit));
        args.push(time(ttl), claim, info);
        break;
      }
      case "extend":
        this.#lock(op.lock, false);
        args.push("E", op.owner, String(op.grant), time(op.ttl), op.raise === undefined ? "" : String(op.raise));
        break;
      case "release":
        this.#lock(op.lock, true);
        args.push("L", op.owner, op.markMs === undefined ? "" : time(op.markMs));
        break;
      case "steal":
        this.#lock(op.lock, true);
        args.push("T");
        break;
      case "inspect":
        this.#lock(op.lock, true);
        args.push("I");
        break;
    }
  }

  /** `queued`: whether the queue may be looked at too. */
  #lock(lock: Key, queued: boolean): void {
    const name = this.#encoding.layout.name(lock);
    this.keys.push(name);
    if (queued) this.#queued.push(name);
  }
}

function conditionOf(condition: Condition | undefined): string {
  return condition === undefined ? "" : "id" in condition ? `=${condition.id}` : "-";
}

/** Whole milliseconds. */
function time(ms: number): string {
  return String(ms < longest ? Math.ceil(ms) : longest);
}
