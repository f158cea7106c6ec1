import type { Abortable, AbortWatch } from "../base/aborts.ts";
import type { Group, Operation, Outcome } from "../port/index.ts";
import type { Call } from "./calls.ts";
import type { Expiring } from "./deadlines.ts";
import type { Lanes, Turn } from "./key-order.ts";

/** Most operations in one batch. */
const maxOperations = 256;
/** Most bytes of values in one batch. */
const maxBytes = 1024 * 1024;

export type Failed = Extract<Outcome, { why: "failed" }>;
/** What a group that reached the store can come to. */
export type Reply = Exclude<Outcome, Failed>;

/** A group on its way. Thousands are on theirs at once, so it is kept small. */
export class Request implements Turn {
  readonly group: Group;
  readonly lanes: Lanes;
  missing = 0;
  sent = false;
  /** Once it is known; its callers may be told of it a little later. */
  outcome: Outcome | undefined = undefined;
  /** Those who wait for it, in their order: one, or several who read the same, linked by {@link Caller.next}. */
  first: Caller | undefined = undefined;
  /** How many of them still do. */
  live = 0;
  #last: Caller | undefined = undefined;

  constructor(group: Group, lanes: Lanes) {
    this.group = group;
    this.lanes = lanes;
  }

  add(caller: Caller): void {
    if (this.#last) this.#last.next = caller;
    else this.first = caller;
    this.#last = caller;
    this.live++;
  }
}

/** Ends a call for its caller before its outcome is known. `signal` is the one that aborted it, if one did. */
export type Drop = (caller: Caller, signal: AbortSignal | undefined) => void;

/**
 * What a call comes to. It runs where the backend tells its outcomes, not in the asynchronous context of the call, so it may call no
 * function of a user's.
 */
export interface Reader<R> {
  /** The result of a call that has a reply; what it throws rejects. */
  read(reply: Reply): R;
  /** That of a call which has none; without this function, the error is. */
  missed?(error: unknown): Promise<R>;
  /** Asked of a write right before it is sent; `false`: it must not be. */
  wanted?(): boolean;
}

/** The reply itself. */
export const asItIs: Reader<Reply> = { read: (reply) => reply };

/** One call that waits for its request. */
export class Caller implements Expiring, Abortable {
  readonly request: Request;
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
  readonly #reader: Reader<unknown>;
  readonly #resolve: (result: unknown) => void;
  readonly #reject: (error: unknown) => void;
  readonly #drop: Drop;
  next: Caller | undefined = undefined;
  over = false;
  place: number | undefined = undefined;
  /** While its signal may end it. */
  watch: AbortWatch | undefined = undefined;

  constructor(
    request: Request,
    { deadline, signal }: Call,
    reader: Reader<unknown>,
    resolve: (result: unknown) => void,
    reject: (error: unknown) => void,
    drop: Drop,
  ) {
    this.request = request;
    this.deadline = deadline;
    this.signal = signal;
    this.#reader = reader;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#drop = drop;
  }

  /** Whether the request may be sent: see {@link Reader.wanted}. */
  get wanted(): boolean {
    return this.#reader.wanted?.() ?? true;
  }

  succeed(reply: Reply): void {
    let result: unknown;
    try {
      result = this.#reader.read(reply);
    } catch (error) {
      this.#reject(error);
      return;
    }
    this.#resolve(result);
  }

  fail(error: unknown): void {
    const { missed } = this.#reader;
    if (missed) this.#resolve(missed.call(this.#reader, error));
    else this.#reject(error);
  }

  expire(): void {
    this.#drop(this, undefined);
  }

  abort(): void {
    this.#drop(this, this.signal);
  }
}

/** Parts requests into batches, in their order. */
export function* batchesOf(requests: readonly Request[]): Generator<Request[], void, undefined> {
  let batch: Request[] = [];
  let operations = 0;
  let bytes = 0;
  for (const request of requests) {
    const { ops } = request.group;
    let size = 0;
    for (const op of ops) size += sizeOf(op);
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

/**
 * Where a group that is a single read is found by equal ones; `undefined` for any other, and for one that gives less than the record
 * or more than it: these are rare, and join nothing.
 */
export function readSlotOf({ ops, guards }: Group): "read" | "stamped" | undefined {
  const op = ops[0] as Operation;
  if (op.op !== "get" || ops.length > 1 || guards || op.keyOnly || op.stamped === "show") return undefined;
  return op.stamped ? "stamped" : "read";
}

/** A text up to this length is taken for the longest it can be, for a batch of these is small however it is counted. */
const shortText = maxBytes / maxOperations / 3;

/** Bytes of an operation's value, or more. */
function sizeOf(op: Operation): number {
  if (op.op !== "set") return 0;
  const { value } = op;
  if (typeof value !== "string") return value.length;
  return value.length <= shortText ? value.length * 3 : Buffer.byteLength(value);
}
