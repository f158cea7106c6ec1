import type { Group, Operation, Outcome } from "../port/index.ts";
import type { Abortable } from "./aborts.ts";
import type { Expiring } from "./deadlines.ts";
import { opKeyId, type Turn } from "./key-order.ts";

/** Most operations in one batch. */
const maxOperations = 256;
/** Most bytes of values in one batch. */
const maxBytes = 1024 * 1024;

export type Failed = Extract<Outcome, { why: "failed" }>;
/** What a group that reached the store can come to. */
export type Reply = Exclude<Outcome, Failed>;

/** A group on its way. */
export interface Request extends Turn {
  sent: boolean;
  /** Those who wait for it: one, or several who read the same. */
  readonly callers: Caller[];
  /** How many of them still do. */
  live: number;
}

/** One call that waits for its request. */
export interface Caller extends Expiring, Abortable {
  readonly request: Request;
  over: boolean;
  resolve(reply: Reply): void;
  reject(error: unknown): void;
}

/** Parts requests into batches, in their order. */
export function* batchesOf(requests: readonly Request[]): Generator<readonly Request[], void, undefined> {
  let batch: Request[] = [];
  let operations = 0;
  let bytes = 0;
  for (const request of requests) {
    const { ops } = request.group;
    const size = ops.reduce((sum, op) => sum + sizeOf(op), 0);
    if (batch.length > 0 && (operations + ops.length > maxOperations || bytes + size > maxBytes)) {
      yield batch;
      batch = [];
      operations = bytes = 0;
    }
    batch.push(request);
    operations += ops.length;
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

/** What stands for a group that is a single read; `undefined` for any other. */
export function readOf({ ops, guards }: Group): string | undefined {
  const [op] = ops;
  return op?.op === "get" && ops.length === 1 && !guards ? readId(op, op.stamped === true) : undefined;
}

/** The id of a key starts with a letter. */
export function readId(op: Operation, stamped: boolean): string {
  return stamped ? `+${opKeyId(op)}` : opKeyId(op);
}

/** Bytes of an operation's value. */
function sizeOf(op: Operation): number {
  if (op.op !== "set") return 0;
  return typeof op.value === "string" ? Buffer.byteLength(op.value) : op.value.length;
}
