import { setImmediate as nextTurn } from "node:timers/promises";
import { onAbort } from "../base/aborts.ts";
import { Emitter } from "../base/emitter.ts";
import { isHoldfastError, UnavailableError, UnsupportedError, type HoldfastError } from "../base/errors.ts";
import type { Time } from "../base/time.ts";
import type { Backend, Group, Opened, Page, Query, Session, Signal, Subscription } from "../port/index.ts";
import { checkSignal, timeoutMs, type Call, type CallOptions } from "./calls.ts";
import { Coalescer } from "./coalescer.ts";
import { afterOthers, lastWordMs } from "./deadlines.ts";
import type { HoldfastEvents } from "./events.ts";
import { asItIs, type Reader, type Reply } from "./requests.ts";
import { UserFunctions } from "./user-functions.ts";

/** Default timeout of a call, in ms. */
const DEFAULT_TIMEOUT = 5_000;
/** An attempt to open that failed sooner than this was not one that waited: it is not made again at once; in ms. */
const hasty = 250;

/** A part of an instance that has something to finish when the instance closes. */
export interface Closing {
  /**
   * Ends what waits. New user functions are refused from now on ({@link Instance.assertTaking}). Resolves when nothing
   * of it runs but {@link Instance.userFunctions}.
   */
  drain?(): Promise<void>;
  /** Aborts what still runs (`why: "closed"`) and releases what is held. Calls are still possible. Must not reject. */
  end(): Promise<void>;
}

/**
 * One instance of an application: a session of a backend, with everything that is the same for state, caches and locks.
 * `connect` makes one; constructors on one backend share one.
 */
export class Instance {
  readonly backend: Backend;
  readonly session: Session;
  readonly time: Time;
  /** Default timeout of calls, in ms. */
  readonly timeout: number;
  readonly events: Emitter<HoldfastEvents>;
  /** The calls that run functions of the application. A close waits for them. */
  readonly userFunctions = new UserFunctions();
  /** Domain and capabilities, once a call of {@link opened} has found them out. */
  known: Opened | undefined;
  readonly #coalescer: Coalescer;
  readonly #parts = new Set<Closing>();
  #phase: "open" | "draining" | "ending" | "closed" = "open";
  #closed: Promise<void> | undefined;

  static readonly #shared = new WeakMap<Backend, Instance>();

  /** The instance that all constructors on this backend share. */
  static shared(backend: Backend): Instance {
    let instance = Instance.#shared.get(backend);
    if (!instance) Instance.#shared.set(backend, (instance = new Instance(backend)));
    return instance;
  }

  /** Closes the instance that constructors on this backend share, if there is one: see {@link close}. */
  static async closeShared(backend: Backend, drainMs: number): Promise<void> {
    await Instance.#shared.get(backend)?.close(drainMs);
  }

  constructor(backend: Backend, options?: { readonly timeout?: number | undefined }) {
    this.backend = backend;
    this.time = backend.time;
    this.timeout = options?.timeout ?? DEFAULT_TIMEOUT;
    this.events = new Emitter();
    this.session = backend.session();
    this.#coalescer = new Coalescer(this.session, this.time, backend.name);
  }

  /** Resolves a call's options: checks them and starts its clock. */
  call(options: CallOptions | undefined): Call {
    const signal = checkSignal(options?.signal);
    return { signal, deadline: this.time.monotonic() + timeoutMs(options?.timeout, this.timeout) };
  }

  /** A call of the instance's own, with the default timeout. */
  ownCall(): Call {
    return { signal: undefined, deadline: this.time.monotonic() + this.timeout };
  }

  /**
   * Domain and capabilities, bounded by the call's deadline and signal. A backend bounds its attempts itself: where one
   * of them was too short for a server, or a process, that is slow, another one follows.
   */
  async opened(call: Call): Promise<Opened> {
    let why: HoldfastError | undefined;
    for (;;) {
      this.assertOpen();
      call.signal?.throwIfAborted();
      const begun = this.time.monotonic();
      try {
        return (this.known = await bounded(this.backend.open(), call, this.time, this.backend.name));
      } catch (error) {
        const now = this.time.monotonic();
        if (!isHoldfastError(error, "UNAVAILABLE")) throw error;
        // What was in the way says more than that the time is over.
        if (now >= call.deadline) throw why ?? error;
        if (now - begun < hasty) throw error;
        why = error;
      }
    }
  }

  /** Runs one group; see {@link Coalescer.execute}. */
  execute(group: Group, call: Call): Reply | Promise<Reply>;
  execute<R>(group: Group, call: Call, reader: Reader<R>): R | Promise<R>;
  execute(group: Group, call: Call, reader: Reader<unknown> = asItIs): unknown {
    this.assertOpen();
    return this.#coalescer.execute(group, call, reader);
  }

  /** One page of a listing, bounded by the call. */
  async page(query: Query, call: Call): Promise<Page> {
    this.assertOpen();
    call.signal?.throwIfAborted();
    const page = await bounded(
      this.session.page(query, { deadline: call.deadline }),
      call,
      this.time,
      this.backend.name,
    );
    // A backend in this process answers at once: page after page, nothing else would run until the listing ends.
    if (page.cursor !== undefined) await nextTurn();
    return page;
  }

  /** Subscribes to the session's signals; UnsupportedError where the backend has none. */
  async subscribe(to: Subscription, listener: (signal: Signal) => void): Promise<() => void> {
    this.assertOpen();
    const { signals } = this.session;
    if (!signals) throw new UnsupportedError(`${this.backend.name} has no signals`, { backend: this.backend.name });
    return signals.subscribe(to, listener);
  }

  /** Throws UnavailableError once the instance is closed. */
  assertOpen(): void {
    if (this.#phase === "closed") throw new UnavailableError("this instance is closed", { backend: this.backend.name });
  }

  /**
   * Throws UnavailableError once the instance is closing: from then on, calls that start a user function or wait for a
   * lock are refused.
   */
  assertTaking(): void {
    if (this.#phase !== "open") throw new UnavailableError("this instance is closing", { backend: this.backend.name });
  }

  /** Registers a part to be closed with the instance, at once if that has ended. The returned function undoes it. */
  register(part: Closing): () => void {
    if (this.#phase === "ending" || this.#phase === "closed") void this.#attempt(() => part.end());
    this.#parts.add(part);
    return () => {
      this.#parts.delete(part);
    };
  }

  /**
   * Refuses new work, lets running functions finish for at most `drainMs`, aborts the rest, releases what is held, ends
   * the session. Idempotent. It does not wait for user functions from inside of which it is called, by the first call
   * or a later one. The backend stays open: its maker closes it.
   */
  close(drainMs: number): Promise<void> {
    this.userFunctions.exempt();
    return (this.#closed ??= this.#close(drainMs));
  }

  async #close(drainMs: number): Promise<void> {
    this.#phase = "draining";
    await this.#within(Promise.all([this.#each((part) => part.drain?.()), this.userFunctions.rest()]), drainMs);
    this.#phase = "ending";
    await this.#within(
      this.#each((part) => part.end()),
      this.timeout,
    );
    await this.#within(this.#coalescer.idle(), this.timeout);
    this.#phase = "closed";
    await this.#within(this.session.close(), this.timeout);
  }

  async #each(step: (part: Closing) => Promise<void> | undefined): Promise<void> {
    await Promise.all([...this.#parts].map(async (part) => this.#attempt(() => step(part))));
  }

  /** One part's failure must not keep the others, nor the session, from being closed. */
  async #attempt(step: () => Promise<void> | undefined): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.events.emit("error", { what: "the close of an instance", error });
    }
  }

  async #within(work: Promise<unknown>, ms: number): Promise<void> {
    if (ms === 0) return;
    let timer: { clear(): void } | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = this.time.after(ms, resolve, { ref: true });
    });
    try {
      await Promise.race([work, limit]);
    } finally {
      timer?.clear();
    }
  }
}

/** `promise`, ended early by the call's signal or deadline. For reads only: the request itself goes on unobserved. */
export async function bounded<T>(promise: Promise<T>, call: Call, time: Time, backend: string): Promise<T> {
  const { signal, deadline } = call;
  let timer: { clear(): void } | undefined;
  let unheard: (() => void) | undefined;
  const end = new Promise<never>((_, reject) => {
    unheard = onAbort(signal, () => reject(signal?.reason as Error));
    const late = (): void => reject(new UnavailableError("timed out: nothing was changed", { backend }));
    timer = afterOthers(time, deadline - time.monotonic() + lastWordMs(time), late, { ref: true });
  });
  try {
    return await Promise.race([promise, end]);
  } finally {
    timer?.clear();
    unheard?.();
  }
}
