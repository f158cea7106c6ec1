import { AsyncLocalStorage } from "node:async_hooks";
import { watchAbort, type Abortable, type AbortWatch } from "../base/aborts.ts";
import { ConflictError, IndeterminateError, UnavailableError } from "../base/errors.ts";
import type { Linked } from "../base/linked-list.ts";
import type { Time } from "../base/time.ts";
import type { Expiring, Deadlines } from "../client/deadlines.ts";
import type { Call } from "../client/index.ts";
import type { View } from "./view.ts";

/** What a call does when its turn comes; as often as others undo it. */
export interface Work<R> {
  /** The key it is about, for its errors; undefined where there are several. */
  readonly key: string | undefined;
  /** Reads what it is known to need, unless the view knows that. */
  prepare?(view: View): void | Promise<void>;
  /** Runs the caller's function on what the view shows, and at the end puts in what that wrote. */
  play(view: View, call: Call): R | Promise<R>;
}

/** Who tells when a job's time is over, and knows whether the store was there meanwhile. */
export interface Watch {
  readonly backend: string;
  readonly deadlines: Deadlines;
  readonly time: Time;
  /** Since when the store has owed an answer; undefined where it owes none. */
  readonly askedAt: number | undefined;
  /** The job is over. */
  left(job: Job<unknown>): void;
}

type Told<R> = { readonly value: R } | { readonly error: unknown };

/** One call in a line. Its caller leaves by the result, the signal or the deadline. */
export class Job<R> implements Expiring, Abortable, Linked<Job<R>> {
  readonly work: Work<R>;
  readonly result: Promise<R>;
  readonly signal: AbortSignal | undefined;
  /** Put off by the time that the function took. */
  deadline: number;
  /** No try starts later. */
  readonly triesUntil: number;
  /** When it came. */
  readonly since: number;
  /** The place in the order of those who came. */
  readonly number: number;
  tries: number;
  /** What its function came to, if what it saw was so. */
  told: Told<R> | undefined = undefined;
  /** Whether it is to change anything. */
  wrote = false;
  /** What it wrote is on its way. */
  sent = false;
  over = false;
  /** Kept by the line: whether it waits there. */
  queued = false;
  place: number | undefined = undefined;
  previous: Job<R> | undefined = undefined;
  next: Job<R> | undefined = undefined;
  #armed = false;
  readonly #watch: Watch;
  #resolve!: (value: R) => void;
  #reject!: (error: unknown) => void;

  /** Its function runs where its caller called, whoever sets it going. */
  #snapshot: (<T>(fn: () => T) => T) | undefined;
  #aborting: AbortWatch | undefined;

  constructor(work: Work<R>, call: Call, watch: Watch, number: number, tries: number, waits: boolean) {
    this.work = work;
    this.signal = call.signal;
    this.deadline = this.triesUntil = call.deadline;
    this.#watch = watch;
    this.since = watch.time.monotonic();
    this.number = number;
    this.tries = tries;
    this.#snapshot = waits ? AsyncLocalStorage.snapshot() : undefined;
    this.result = new Promise<R>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** What bounds its requests from now on. */
  get call(): Call {
    return { signal: this.signal, deadline: this.deadline };
  }

  /** Whether its function came to an error. */
  get failed(): boolean {
    return this.told !== undefined && "error" in this.told;
  }

  /** Does its work. */
  play(view: View): R | Promise<R> {
    const play = (): R | Promise<R> => this.work.play(view, this.call);
    return this.#snapshot ? this.#snapshot(play) : play();
  }

  /** Its function is to run once more, and may be set going by another call then. Called where the function has run. */
  anew(): void {
    this.told = undefined;
    this.wrote = false;
    this.#snapshot ??= AsyncLocalStorage.snapshot();
  }

  /** From now on its signal and its deadline end it; while its function runs, or a request of its own, they do by themselves. */
  arm(): void {
    if (this.#armed || this.over) return;
    if (this.signal?.aborted) return this.abort();
    this.#armed = true;
    this.#watch.deadlines.add(this);
    if (this.signal) this.#aborting = watchAbort(this.signal, this);
  }

  disarm(): void {
    if (!this.#armed) return;
    this.#armed = false;
    this.#watch.deadlines.delete(this);
    this.#aborting?.end();
    this.#aborting = undefined;
  }

  /** Gives the caller what its function came to. */
  settle(): void {
    const told = this.told as Told<R>;
    if ("value" in told) this.#finish(() => this.#resolve(told.value));
    else this.reject(told.error);
  }

  reject(error: unknown): void {
    this.#finish(() => this.#reject(error));
  }

  abort(): void {
    const reason: unknown = this.signal?.reason;
    this.reject(this.sent && this.wrote ? this.#unknown("aborted", reason) : reason);
  }

  expire(): void {
    if (this.sent && this.wrote) return this.reject(this.#unknown("timed out", undefined));
    const { backend, askedAt, time } = this.#watch;
    const now = time.monotonic();
    // For most of the time that it has waited the store was silent: that is not because of the others.
    if (askedAt === undefined || 2 * (now - askedAt) < now - this.since) return this.reject(this.givenUp());
    this.reject(new UnavailableError("timed out: nothing was changed", { backend, key: this.work.key }));
  }

  /** The error of one whose turn did not come, or came to nothing, until its deadline. */
  givenUp(): ConflictError {
    const { tries } = this;
    const message = "others kept changing what it was to change until the timeout: nothing was written";
    return new ConflictError(message, { backend: this.#watch.backend, key: this.work.key, tries });
  }

  #unknown(why: string, cause: unknown): IndeterminateError {
    const message = `${why} after the write was sent: its outcome is unknown`;
    return new IndeterminateError(message, { backend: this.#watch.backend, key: this.work.key, cause });
  }

  #finish(tell: () => void): void {
    if (this.over) return;
    this.over = true;
    this.disarm();
    this.#watch.left(this as Job<unknown>);
    tell();
  }
}
