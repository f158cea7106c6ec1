import { watchAbort } from "../base/aborts.ts";
import { IndeterminateError, isHoldfastError, UnavailableError } from "../base/errors.ts";
import type { Time } from "../base/time.ts";
import type { ExecuteCall, Group, Outcome, Session } from "../port/index.ts";
import type { Call } from "./calls.ts";
import { Deadlines, lastWordMs } from "./deadlines.ts";
import { groupWrites, KeyLine, KeyOrder, type KeyEntry } from "./key-order.ts";
import { batchesOf, Caller, readSlotOf, Request, type Drop, type Failed, type Reader } from "./requests.ts";

/**
 * How many requests are settled in one go: a quarter of those under way, and no fewer than 32, which make a command
 * worth its cost. The next calls of their callers are sent before the others are settled, so the store works meanwhile.
 * If all were settled at once, the process and the store would wait for each other in turn.
 */
const leastAtOnce = 32;
const partAtOnce = 1 / 4;

/**
 * Gathers the calls of a tick into batches, in front of one session. A call ends by its outcome, its signal or its
 * deadline; its request runs on (nothing that was sent is cancelled), and later calls on its keys wait for that.
 */
export class Coalescer {
  readonly #session: Session;
  readonly #backend: string;
  readonly #order = new KeyOrder();
  readonly #deadlines: Deadlines;
  #ready: Request[] = [];
  #scheduled = false;
  #inFlight = 0;
  /** How many requests were settled since calls were last sent. */
  #settled = 0;
  /** The requests whose outcome is known and that are to be settled next. */
  #unsettled: Request[] = [];
  #onIdle: (() => void)[] = [];

  constructor(session: Session, time: Time, backend: string) {
    this.#session = session;
    this.#backend = backend;
    this.#deadlines = new Deadlines(time, lastWordMs(time));
  }

  /**
   * Runs a group: at once where the backend can, else with the others of the tick. Throws or rejects with the signal's
   * reason, and unless the reader knows better, with UnavailableError, IndeterminateError, or what the backend refused
   * it with.
   */
  execute<R>(group: Group, call: Call, reader: Reader<R>): R | Promise<R> {
    call.signal?.throwIfAborted();
    if (this.#session.executeNow && this.#order.idle(group)) {
      const outcome = this.#session.executeNow(group);
      if (outcome) {
        if (outcome.ok || outcome.why !== "failed") return reader.read(outcome);
        const error = this.#failure(outcome, group);
        if (reader.missed) return reader.missed(error);
        throw error;
      }
    }
    return new Promise((resolve, reject) => {
      const request = this.#join(group);
      const caller = new Caller(request, call, reader, resolve as (result: unknown) => void, reject, this.#drop);
      request.add(caller);
      this.#deadlines.add(caller);
      if (call.signal) caller.watch = watchAbort(call.signal, caller);
    });
  }

  /** Resolves when no request is under way. */
  async idle(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** The request of a group: one that reads the same and is not sent yet, else a new one. */
  #join(group: Group): Request {
    const lines = this.#order.linesOf(group);
    const slot = readSlotOf(group);
    if (lines instanceof KeyLine) {
      const equal = slot && lines[slot];
      if (equal) return equal as Request;
      if (!slot) part(lines);
    } else for (const { line, write } of lines) if (write) part(line);
    const request = new Request(group, lines);
    if (slot && lines instanceof KeyLine) lines[slot] = request;
    this.#inFlight++;
    if (this.#order.enter(request)) this.#admit(request);
    return request;
  }

  readonly #admit = (entry: KeyEntry): void => {
    this.#ready.push(entry as Request);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After every promise callback of this turn of the event loop: calls that wake together go together.
    queueMicrotask(() => process.nextTick(this.#flush));
  };

  readonly #flush = (): void => {
    this.#scheduled = false;
    this.#settled = 0;
    const ready = this.#ready;
    this.#ready = [];
    const wanted = ready.filter((request) => {
      seal(request);
      if (request.live === 0) this.#leave(request);
      return request.live > 0;
    });
    for (const batch of batchesOf(wanted)) void this.#send(batch);
    emptied(ready);
  };

  async #send(batch: Request[]): Promise<void> {
    let deadline = 0;
    for (const { first } of batch) {
      for (let caller = first; caller; caller = caller.next) {
        if (!caller.over && caller.deadline > deadline) deadline = caller.deadline;
      }
    }
    const call: ExecuteCall = {
      deadline,
      claim(i) {
        const request = batch[i];
        return request !== undefined && (request.sent = request.live > 0 && request.first?.wanted === true);
      },
      settled: (i, outcome) => {
        const request = batch[i];
        if (request) this.#learn(request, outcome);
      },
    };
    let outcomes: readonly (Outcome | undefined)[] = [];
    let failure: Error | undefined;
    try {
      outcomes = await this.#session.execute(
        batch.map(({ group }) => group),
        call,
      );
    } catch (error) {
      failure = error as Error;
    }
    for (let i = 0; i < batch.length; i++) {
      const request = batch[i] as Request;
      this.#learn(request, outcomes[i] ?? unanswered(request, failure));
    }
    emptied(batch);
  }

  /** Notes an outcome, and settles the request: mostly at once. */
  #learn(request: Request, outcome: Outcome): void {
    if (request.outcome) return;
    request.outcome = outcome;
    if (this.#settled < this.#atOnce && this.#unsettled.length === 0) {
      this.#settled++;
      this.#settle(request, outcome);
    } else if (this.#unsettled.push(request) === 1) this.#settleLater();
  }

  get #atOnce(): number {
    return Math.max(leastAtOnce, this.#inFlight * partAtOnce);
  }

  /** Waits until the calls of this turn of the event loop are sent: drivers gather what they write until its end. */
  #settleLater(): void {
    setImmediate(() => setImmediate(this.#settleSome));
  }

  readonly #settleSome = (): void => {
    const some = this.#unsettled.splice(0, this.#atOnce);
    this.#settled = some.length;
    if (this.#unsettled.length > 0) this.#settleLater();
    for (const request of some) this.#settle(request, request.outcome as Outcome);
  };

  #settle(request: Request, outcome: Outcome): void {
    for (let caller = request.first; caller; caller = caller.next) if (!caller.over) this.#finish(caller, outcome);
    this.#leave(request);
  }

  #finish(caller: Caller, outcome: Outcome): void {
    this.#detach(caller);
    if (!outcome.ok && outcome.why === "failed") caller.fail(this.#failure(outcome, caller.request.group));
    else caller.succeed(outcome);
  }

  #leave(request: Request): void {
    this.#order.leave(request, this.#admit);
    this.#left();
  }

  readonly #drop: Drop = (caller, signal) => {
    if (caller.over) return;
    const { request } = caller;
    // The outcome is known, and its caller was about to get it.
    if (request.outcome) return this.#finish(caller, request.outcome);
    this.#detach(caller);
    if (request.sent && groupWrites(request.group)) {
      const cause: unknown = signal ? signal.reason : undefined;
      const why = signal ? "aborted" : "timed out";
      caller.fail(
        new IndeterminateError(`${why} after the write was sent: its outcome is unknown`, {
          backend: this.#backend,
          cause,
        }),
      );
    } else if (signal) caller.fail(signal.reason);
    else caller.fail(new UnavailableError("timed out: nothing was changed", { backend: this.#backend }));
    if (request.live === 0 && request.missing > 0) {
      seal(request);
      this.#order.withdraw(request, this.#admit);
      this.#left();
    }
  };

  #detach(caller: Caller): void {
    caller.over = true;
    caller.request.live--;
    this.#deadlines.delete(caller);
    caller.watch?.end();
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
      return new IndeterminateError(`the outcome of a write is unknown: ${error.message}`, context);
    if (isHoldfastError(error, "UNAVAILABLE")) return error;
    return new UnavailableError("the store could not be asked: nothing was changed", context);
  }
}

/**
 * Empties an array that is not used any more. With many calls V8 makes such arrays among the old objects, and each
 * would keep its requests until the whole heap is collected.
 */
function emptied(array: unknown[]): void {
  array.length = 0;
}

/** No later read joins the waiting reads of a line: a write is about to join the line behind them. */
function part(line: KeyLine): void {
  line.read = undefined;
  line.stamped = undefined;
}

/** No other call joins a request that reads. */
function seal(request: Request): void {
  const { lines } = request;
  if (!(lines instanceof KeyLine)) return;
  if (lines.read === request) lines.read = undefined;
  if (lines.stamped === request) lines.stamped = undefined;
}

/** The outcome of a group that a backend left without one. The port forbids that, and no caller may wait for ever. */
function unanswered({ sent }: Request, error = new Error("the backend gave no outcome")): Failed {
  return { ok: false, why: "failed", sent, error };
}
