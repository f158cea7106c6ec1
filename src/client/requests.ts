import type { Abortable, AbortWatch } from "../base/aborts.ts";
import type { Group, Operation, Outcome } from "../port/index.ts";
import type { Call } from "./calls.ts";
import type { Expiring } from "./deadlines.ts";
import type { KeyLines, KeyEntry } from "./key-order.ts";

/** Most operations in one batch. */
const maxOperations = 256;
/** Most bytes of values in one batch. */
const maxBytes = 1024 * 1024;

export type Failed = Extract<Outcome, { why: "failed" }>;
/** An outcome of a group that reached the store. */
export type Reply = Exclude<Outcome, Failed>;

/** A group under way. There may be thousands at once, so it is kept small. */
export class Request implements KeyEntry {
  readonly group: Group;
  readonly lines: KeyLines;
  missing = 0;
  sent = false;
  /** Set once it is known. The callers may get it a little later. */
  outcome: Outcome | undefined = undefined;
  /** The first of its callers: one, or several that read the same, linked by {@link Caller.next} in their order. */
  first: Caller | undefined = undefined;
  /** How many of its callers still wait. */
  live = 0;
  #last: Caller | undefined = undefined;

  constructor(group: Group, lines: KeyLines) {
    this.group = group;
    this.lines = lines;
  }

  add(caller: Caller): void {
    if (this.#last) this.#last.next = caller;
    else this.first = caller;
    this.#last = caller;
    this.live++;
  }
}

/** Ends a call for its caller before its outcome is known. `signal` is set if the signal aborted it. */
export type Drop = (caller: Caller, signal: AbortSignal | undefined) => void;

/**
 * Makes the result of a call from its reply. It runs where the backend reports its outcomes, and not in the
 * asynchronous context of the call, so it must not call a function of the application.
 */
export interface Reader<R> {
  /** The result of a call that has a reply. An error that it throws rejects the call. */
  read(reply: Reply): R;
  /** The result of a call without a reply. Without this function the call is rejected with the error. */
  missed?(error: unknown): Promise<R>;
  /** Called for a write right before it is sent. False prevents that. */
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
  /** Set while its signal may end it. */
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

/** Splits requests into batches, in their order. */
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
 * The slot of a line in which equal reads find a group that is a single read; `undefined` for any other group. Reads of
 * less or more than the record are rare, and join nothing.
 */
export function readSlotOf({ ops, guards }: Group): "read" | "stamped" | undefined {
  const op = ops[0] as Operation;
  if (op.op !== "get" || ops.length > 1 || guards || op.keyOnly || op.stamped === "show") return undefined;
  return op.stamped ? "stamped" : "read";
}

/**
 * A text up to this length counts as the longest that it can be: a batch of such texts is small however it is counted.
 */
const shortText = maxBytes / maxOperations / 3;

/** Bytes of an operation's value, or more. */
function sizeOf(op: Operation): number {
  if (op.op !== "set") return 0;
  const { value } = op;
  if (typeof value !== "string") return value.length;
  return value.length <= shortText ? value.length * 3 : Buffer.byteLength(value);
}
