import { watchAbort } from "../base/aborts.ts";
import { IndeterminateError, isHoldfastError, UnavailableError } from "../base/errors.ts";
import type { Time } from "../base/time.ts";
import type { ExecuteCall, Group, Outcome, Session } from "../port/index.ts";
import type { Call } from "./calls.ts";
import { Deadlines } from "./deadlines.ts";
import { groupWrites, KeyOrder, Lane, type Turn } from "./key-order.ts";
import { batchesOf, Caller, readSlotOf, Request, type Drop, type Failed, type Reader } from "./requests.ts";

/**
 * How many requests are told their outcomes in one go: a quarter of those under way, and no fewer than 32, which make a command
 * worth its cost. What their callers ask for next is sent before the others are told, so the store works on it meanwhile: if all were
 * told at once, process and store would wait for each other in turn.
 */
const leastAtOnce = 32;
const partAtOnce = 1 / 4;

/**
 * Gathers the calls of a tick into batches, in front of one session. A call ends by its outcome, its signal or its deadline; its
 * request runs on (nothing that was sent is cancelled), and later calls on its keys wait for that.
 */
export class Coalescer {
  readonly #session: Session;
  readonly #backend: string;
  readonly #order = new KeyOrder();
  readonly #deadlines: Deadlines;
  #ready: Request[] = [];
  #scheduled = false;
  #inFlight = 0;
  /** How many were told since calls were last sent. */
  #told = 0;
  /** Those whose outcome is known and who are to be told next. */
  #untold: Request[] = [];
  #onIdle: (() => void)[] = [];

  constructor(session: Session, time: Time, backend: string) {
    this.#session = session;
    this.#backend = backend;
    this.#deadlines = new Deadlines(time);
  }

  /**
   * Runs a group: at once where the backend can, else with the others of the tick. Throws or rejects with the signal's
   * reason, and unless the reader knows better, with UnavailableError, IndeterminateError, or what the backend refused it with.
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

  /** Resolves when nothing is on its way. */
  async idle(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** The request of a group: one that reads the same and is not yet sent, else a new one. */
  #join(group: Group): Request {
    const lanes = this.#order.lanesOf(group);
    const slot = readSlotOf(group);
    if (lanes instanceof Lane) {
      const equal = slot && lanes[slot];
      if (equal) return equal as Request;
      if (!slot) part(lanes);
    } else for (const { lane, write } of lanes) if (write) part(lane);
    const request = new Request(group, lanes);
    if (slot && lanes instanceof Lane) lanes[slot] = request;
    this.#inFlight++;
    if (this.#order.enter(request)) this.#admit(request);
    return request;
  }

  readonly #admit = (turn: Turn): void => {
    this.#ready.push(turn as Request);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After every promise callback of this turn of the loop: calls that wake together go together.
    queueMicrotask(() => process.nextTick(this.#flush));
  };

  readonly #flush = (): void => {
    this.#scheduled = false;
    this.#told = 0;
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

  /** Takes an outcome, and tells it when its turn comes: mostly at once. */
  #learn(request: Request, outcome: Outcome): void {
    if (request.outcome) return;
    request.outcome = outcome;
    if (this.#told < this.#atOnce && this.#untold.length === 0) {
      this.#told++;
      this.#settle(request, outcome);
    } else if (this.#untold.push(request) === 1) this.#tellLater();
  }

  get #atOnce(): number {
    return Math.max(leastAtOnce, this.#inFlight * partAtOnce);
  }

  /** After what was asked for in this turn of the loop is sent: drivers gather what they write until its end. */
  #tellLater(): void {
    setImmediate(() => setImmediate(this.#tellSome));
  }

  readonly #tellSome = (): void => {
    const some = this.#untold.splice(0, this.#atOnce);
    this.#told = some.length;
    if (this.#untold.length > 0) this.#tellLater();
    for (const request of some) this.#settle(request, request.outcome as Outcome);
  };

  #settle(request: Request, outcome: Outcome): void {
    for (let caller = request.first; caller; caller = caller.next) if (!caller.over) this.#tell(caller, outcome);
    this.#leave(request);
  }

  #tell(caller: Caller, outcome: Outcome): void {
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
    // It is over, and its caller was about to be told.
    if (request.outcome) return this.#tell(caller, request.outcome);
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
 * Lets go of what is in an array that is not used any more. Where calls are many, V8 makes such arrays among the old objects, and
 * each would keep its requests until the whole heap is collected.
 */
function emptied(array: unknown[]): void {
  array.length = 0;
}

/** What reads a key from now on comes after what is about to write it. */
function part(lane: Lane): void {
  lane.read = undefined;
  lane.stamped = undefined;
}

/** Nobody joins a read any more. */
function seal(request: Request): void {
  const { lanes } = request;
  if (!(lanes instanceof Lane)) return;
  if (lanes.read === request) lanes.read = undefined;
  if (lanes.stamped === request) lanes.stamped = undefined;
}

/** The port forbids to leave a group without an outcome; a backend that does it all the same loses no caller. */
function unanswered({ sent }: Request, error = new Error("the backend gave no outcome")): Failed {
  return { ok: false, why: "failed", sent, error };
}
