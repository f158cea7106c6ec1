import { AsyncLocalStorage } from "node:async_hooks";
import { watchAbort, type Abortable, type AbortWatch } from "../base/aborts.ts";
import { ConflictError, IndeterminateError, UnavailableError } from "../base/errors.ts";
import type { Linked } from "../base/linked-list.ts";
import type { Time } from "../base/time.ts";
import type { Expiring, Deadlines } from "../client/deadlines.ts";
import type { Call } from "../client/index.ts";
import type { View } from "./view.ts";

/** What a call does in its round, and again in another one after a conflict. */
export interface Work<R> {
  /** The key for error messages; undefined where the work concerns several keys. */
  readonly key: string | undefined;
  /** Reads what the work is known to need and the view does not have. */
  prepare?(view: View): void | Promise<void>;
  /** Runs the caller's function on what the view shows, and puts what that wrote into the view at the end. */
  play(view: View, call: Call): R | Promise<R>;
}

/** Keeps the deadlines of tasks, and knows whether the store was silent meanwhile. */
export interface Watch {
  readonly backend: string;
  readonly deadlines: Deadlines;
  readonly time: Time;
  /** Since when the store has owed an answer; undefined where it owes none. */
  readonly askedAt: number | undefined;
  /** The task is over. */
  left(task: Task<unknown>): void;
}

type Produced<R> = { readonly value: R } | { readonly error: unknown };

/** One call in a line. Its caller leaves with the result, by the signal or at the deadline. */
export class Task<R> implements Expiring, Abortable, Linked<Task<R>> {
  readonly work: Work<R>;
  readonly result: Promise<R>;
  readonly signal: AbortSignal | undefined;
  /** By `time.monotonic()`. The time that the function takes is added to it. */
  deadline: number;
  /** No try starts later. */
  readonly triesUntil: number;
  /** When the call entered the line. */
  readonly since: number;
  /** Its place in the order of arrival. */
  readonly number: number;
  tries: number;
  /** The value or error of its function, valid only if what the function saw is still so when the round is written. */
  produced: Produced<R> | undefined = undefined;
  /** Whether its function changed anything in the view. */
  wrote = false;
  /** Whether its change was sent and has no reply yet. */
  sent = false;
  over = false;
  /** Whether it waits in the list. Kept by the list. */
  queued = false;
  place: number | undefined = undefined;
  previous: Task<R> | undefined = undefined;
  next: Task<R> | undefined = undefined;
  #armed = false;
  readonly #watch: Watch;
  #resolve!: (value: R) => void;
  #reject!: (error: unknown) => void;

  /** Runs the function in the asynchronous context of its caller, whichever call triggers it. */
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

  /** The limits of its requests from now on. */
  get call(): Call {
    return { signal: this.signal, deadline: this.deadline };
  }

  /** Whether its function failed. */
  get failed(): boolean {
    return this.produced !== undefined && "error" in this.produced;
  }

  /** Does its work. */
  play(view: View): R | Promise<R> {
    const play = (): R | Promise<R> => this.work.play(view, this.call);
    return this.#snapshot ? this.#snapshot(play) : play();
  }

  /** Prepares another try, which another call may trigger. Called in the context in which the function ran. */
  retry(): void {
    this.produced = undefined;
    this.wrote = false;
    this.#snapshot ??= AsyncLocalStorage.snapshot();
  }

  /**
   * Lets its signal and its deadline end it. While its function or a request of its own runs, those watch them instead.
   */
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

  /** Gives the caller what its function produced. */
  settle(): void {
    const produced = this.produced as Produced<R>;
    if ("value" in produced) this.#finish(() => this.#resolve(produced.value));
    else this.reject(produced.error);
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
    // If the store was silent for most of the wait, the store is to blame and not the other callers.
    if (askedAt === undefined || 2 * (now - askedAt) < now - this.since) return this.reject(this.conflict());
    this.reject(new UnavailableError("timed out: nothing was changed", { backend, key: this.work.key }));
  }

  /** The error of a task that did not get to run, or met conflicts, until its deadline. */
  conflict(): ConflictError {
    const { tries } = this;
    const message = "others kept changing what it was to change until the timeout: nothing was written";
    return new ConflictError(message, { backend: this.#watch.backend, key: this.work.key, tries });
  }

  #unknown(why: string, cause: unknown): IndeterminateError {
    const message = `${why} after the write was sent: its outcome is unknown`;
    return new IndeterminateError(message, { backend: this.#watch.backend, key: this.work.key, cause });
  }

  #finish(settle: () => void): void {
    if (this.over) return;
    this.over = true;
    this.disarm();
    this.#watch.left(this as Task<unknown>);
    settle();
  }
}
