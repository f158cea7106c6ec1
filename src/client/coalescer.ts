import { IndeterminateError, isHoldfastError, UnavailableError } from "../base/errors.ts";
import type { Time } from "../base/time.ts";
import type { ExecuteCall, Group, Operation, Outcome, Session } from "../port/index.ts";
import type { Call } from "./calls.ts";
import { Deadlines, type Expiring } from "./deadlines.ts";
import { groupWrites, KeyOrder, type Turn } from "./key-order.ts";

/** Most operations in one batch. */
const maxOperations = 256;
/** Most bytes of values in one batch. */
const maxBytes = 1024 * 1024;

type Failed = Extract<Outcome, { why: "failed" }>;
/** What a group that reached the store can come to. */
export type Reply = Exclude<Outcome, Failed>;

/** One call on its way. */
interface Pending extends Turn, Expiring {
  state: "queued" | "sent" | "gone";
  readonly signal: AbortSignal | undefined;
  resolve(reply: Reply): void;
  reject(error: unknown): void;
  onAbort(): void;
}

/**
 * Gathers the calls of a tick into batches, in front of one session. A call ends by its outcome, its signal or its deadline; its
 * request runs on (nothing that was sent is cancelled), and later calls on its keys wait for that.
 */
export class Coalescer {
  readonly #session: Session;
  readonly #backend: string;
  readonly #order = new KeyOrder();
  readonly #deadlines: Deadlines;
  #ready: Pending[] = [];
  #scheduled = false;
  #inFlight = 0;
  #onIdle: (() => void)[] = [];

  constructor(session: Session, time: Time, backend: string) {
    this.#session = session;
    this.#backend = backend;
    this.#deadlines = new Deadlines(time);
  }

  /**
   * Runs a group: at once where the backend can, else with the others of the tick. Throws or rejects with the signal's
   * reason, UnavailableError, IndeterminateError, or what the backend refused it with.
   */
  execute(group: Group, call: Call): Reply | Promise<Reply> {
    call.signal?.throwIfAborted();
    if (this.#session.executeNow && this.#order.idle(group)) {
      const outcome = this.#session.executeNow(group);
      if (outcome) {
        if (!outcome.ok && outcome.why === "failed") throw this.#failure(outcome, group);
        return outcome;
      }
    }
    return this.#enqueue(group, call);
  }

  /** Resolves when nothing is on its way. */
  async idle(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #enqueue(group: Group, call: Call): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        group,
        missing: 0,
        state: "queued",
        deadline: call.deadline,
        signal: call.signal,
        resolve,
        reject,
        expire: () => this.#drop(pending, undefined),
        onAbort: () => this.#drop(pending, call.signal),
      };
      this.#inFlight++;
      this.#deadlines.add(pending);
      call.signal?.addEventListener("abort", pending.onAbort, { once: true });
      if (this.#order.enter(pending)) this.#admit(pending);
    });
  }

  readonly #admit = (turn: Turn): void => {
    this.#ready.push(turn as Pending);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After every promise callback of this turn of the loop: calls that wake together go together.
    queueMicrotask(() => process.nextTick(this.#flush));
  };

  readonly #flush = (): void => {
    this.#scheduled = false;
    const ready = this.#ready;
    this.#ready = [];
    let batch: Pending[] = [];
    let operations = 0;
    let bytes = 0;
    for (const pending of ready) {
      const { ops } = pending.group;
      const size = ops.reduce((sum, op) => sum + sizeOf(op), 0);
      if (batch.length > 0 && (operations + ops.length > maxOperations || bytes + size > maxBytes)) {
        void this.#send(batch);
        batch = [];
        operations = bytes = 0;
      }
      batch.push(pending);
      operations += ops.length;
      bytes += size;
    }
    if (batch.length > 0) void this.#send(batch);
  };

  async #send(batch: readonly Pending[]): Promise<void> {
    const call: ExecuteCall = {
      deadline: batch.reduce((latest, pending) => Math.max(latest, pending.deadline), 0),
      claim: (i) => {
        const pending = batch[i] as Pending;
        if (pending.state !== "queued") return false;
        pending.state = "sent";
        return true;
      },
    };
    let outcomes: readonly Outcome[];
    try {
      outcomes = await this.#session.execute(
        batch.map((pending) => pending.group),
        call,
      );
    } catch (error) {
      // The port forbids it; a backend that does it all the same loses no caller.
      outcomes = batch.map((pending) => ({
        ok: false,
        why: "failed",
        sent: pending.state === "sent",
        error: error as Error,
      }));
    }
    for (let i = 0; i < batch.length; i++) this.#settle(batch[i] as Pending, outcomes[i] as Outcome);
  }

  #settle(pending: Pending, outcome: Outcome): void {
    if (pending.state !== "gone") {
      this.#detach(pending);
      if (!outcome.ok && outcome.why === "failed") pending.reject(this.#failure(outcome, pending.group));
      else pending.resolve(outcome);
    }
    this.#order.leave(pending, this.#admit);
    this.#left();
  }

  /** Ends a call for its caller before its outcome is known. `signal` is the one that aborted it, if one did. */
  #drop(pending: Pending, signal: AbortSignal | undefined): void {
    if (pending.state === "gone") return;
    const sent = pending.state === "sent";
    const waiting = pending.missing > 0;
    this.#detach(pending);
    if (sent && groupWrites(pending.group)) {
      const cause: unknown = signal ? signal.reason : undefined;
      const why = signal ? "aborted" : "timed out";
      pending.reject(
        new IndeterminateError(`${why} after the write was sent: its outcome is unknown`, {
          backend: this.#backend,
          cause,
        }),
      );
    } else if (signal) pending.reject(signal.reason);
    else pending.reject(new UnavailableError("timed out: nothing was changed", { backend: this.#backend }));
    if (waiting) {
      this.#order.withdraw(pending, this.#admit);
      this.#left();
    }
  }

  #detach(pending: Pending): void {
    pending.state = "gone";
    this.#deadlines.delete(pending);
    pending.signal?.removeEventListener("abort", pending.onAbort);
  }

  #left(): void {
    if (--this.#inFlight > 0) return;
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const resolve of waiting) resolve();
  }

  #failure(outcome: Failed, group: Group): Error {
    const { error, sent } = outcome;
    if (!sent && isHoldfastError(error)) return error;
    const context = { backend: this.#backend, cause: error };
    if (sent && groupWrites(group))
      return new IndeterminateError("the reply to a write was lost: its outcome is unknown", context);
    if (isHoldfastError(error, "UNAVAILABLE")) return error;
    return new UnavailableError("the store could not be asked: nothing was changed", context);
  }
}

function sizeOf(op: Operation): number {
  return op.op === "set" ? op.value.length : 0;
}
