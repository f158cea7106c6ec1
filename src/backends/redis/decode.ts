import type { Group, Holding, LockState, Operation, Outcome, Result } from "../../port/index.ts";
import { mode as lockMode, reply as word } from "./lua/opcodes.ts";
import type { Layout } from "./layout.ts";
import { failedWithin, foreign, unreadable } from "./outcomes.ts";
import { notSent } from "../common/failures.ts";
import type { Encoding } from "./encode.ts";
import { decodeRecord, stampsOf, withStamps, type NamedStamp } from "./record.ts";
import type { Reply } from "./router.ts";

/** What is learned of a group beside its outcome. */
export interface Learned {
  /** An acquire that waits was refused, or granted or released: whoever waits has to be looked after. */
  lock(op: Operation, outcome: Outcome, passedMs: number): void;
  /** The result at `place` is one only if these stamps are current. */
  stamped(member: number, results: Result[], place: number, stamps: readonly NamedStamp[]): void;
}

/** Reads the flat reply of the script, group by group. */
export class ReplyReader {
  readonly #reply: readonly Reply[];
  readonly #learned: Learned;
  readonly #encoding: Encoding;
  #at = 0;
  #member = 0;

  constructor(reply: readonly Reply[], encoding: Encoding, learned: Learned) {
    this.#reply = reply;
    this.#encoding = encoding;
    this.#learned = learned;
  }

  /** The outcome of the next group, which is at place `member` of its batch. */
  next(group: Group, member: number): Outcome {
    const reply = this.#reply;
    this.#member = member;
    switch (reply[this.#at++]) {
      case word.done:
        return this.#results(group);
      case word.conflict: {
        const at = this.#place(group);
        const current = reply[this.#at++] as Buffer | null;
        const op = group.ops[at];
        const key = op !== undefined && "key" in op ? op.key.key : "";
        const record = current === null ? undefined : decodeRecord(key, current);
        if (current !== null && record === undefined) return notSent(foreign(op));
        return { ok: false, why: "conflict", at, current: record };
      }
      case word.fenced:
        return { ok: false, why: "fenced", at: this.#place(group) };
      case word.held: {
        const at = this.#place(group);
        const state = reply[this.#at++] as readonly Reply[];
        const outcome: Outcome = { ok: false, why: "held", at, state: stateOf(state), ahead: state[1] as number };
        this.#learned.lock(group.ops[at] as Operation, outcome, state[0] as number);
        return outcome;
      }
      case word.failedBefore:
        return failedWithin(String(reply[this.#at++]), false, group);
      case word.failedAfter:
        return failedWithin(String(reply[this.#at++]), true, group);
      default:
        return unreadable();
    }
  }

  /** Which element was refused, as the port counts them. */
  #place({ guards }: Group): number {
    const place = (this.#reply[this.#at++] as number) - 1;
    const count = guards?.length ?? 0;
    return place < count ? -1 - place : place - count;
  }

  #results({ ops }: Group): Outcome {
    const results: Result[] = [];
    const outcome: Outcome = { ok: true, results };
    for (const op of ops) {
      switch (op.op) {
        case "check":
        case "set":
        case "floor":
          results.push(undefined);
          break;
        case "get": {
          const bytes = this.#reply[this.#at++] as Buffer | null;
          if (bytes === null) {
            results.push(undefined);
            break;
          }
          const record = readResult(op, bytes, this.#encoding.layout);
          if (record === undefined) return this.#corrupt(ops, op);
          results.push(record);
          if (op.stamped) this.#doubt(results, bytes);
          break;
        }
        case "touch":
        case "delete":
          results.push(this.#reply[this.#at++] === 1);
          break;
        case "acquire":
        case "extend":
          results.push({ grant: this.#reply[this.#at++] as number });
          if (op.op === "acquire") this.#learned.lock(op, outcome, 0);
          break;
        case "release": {
          const value = this.#reply[this.#at++] as number;
          results.push(value % 2 === 1);
          this.#learned.lock(op, outcome, Math.floor(value / 2));
          break;
        }
        case "steal":
        case "inspect": {
          const state = this.#reply[this.#at++] as readonly Reply[];
          const result = stateOf(state);
          results.push(result);
          this.#learned.lock(op, { ok: true, results: [result] }, state[0] as number);
          break;
        }
      }
    }
    return outcome;
  }

  /** The last result is one only if its stamps are current, where the script does not look at them. */
  #doubt(results: Result[], bytes: Buffer): void {
    const stamps = this.#encoding.stampsApart ? stampsOf(bytes) : [];
    if (stamps.length > 0) this.#learned.stamped(this.#member, results, results.length - 1, stamps);
  }

  /** A read found what is no record: the values that the other operations gave are stepped over. */
  #corrupt(ops: readonly Operation[], found: Operation): Outcome {
    for (let i = ops.indexOf(found) + 1; i < ops.length; i++) {
      const name = ops[i]?.op;
      if (name !== "check" && name !== "set" && name !== "floor") this.#at++;
    }
    return { ok: false, why: "failed", sent: ops.length > 1, error: foreign(found) };
  }
}

/** A read for a page: it shows the stamps, whether or not they are current. */
export type ListedGet = Extract<Operation, { op: "get" }> & { readonly listed?: boolean };

/** What a `get` gives of the bytes that are there; undefined if they are no record. */
export function readResult({ key, keyOnly, stamped, listed }: ListedGet, bytes: Buffer, layout: Layout): Result {
  const record = decodeRecord(key.key, bytes, keyOnly);
  return record !== undefined && (stamped === "show" || listed) ? withStamps(record, bytes, layout) : record;
}

/** A state as `stateOf` in `lua/lock-state.ts` tells it. */
function stateOf(state: readonly Reply[]): LockState {
  const holders: Holding[] = [];
  for (let i = 3; i + 4 < state.length; i += 5) {
    holders.push({
      owner: String(state[i]),
      mode: String(state[i + 1]) === lockMode.shared ? "shared" : "exclusive",
      grant: state[i + 2] as number,
      remainingMs: state[i + 3] as number,
      info: String(state[i + 4]),
    });
  }
  return { holders, waiting: state[2] as number };
}
