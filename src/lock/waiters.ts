import { watchAbort } from "../base/aborts.ts";
import { UnavailableError } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import { LinkedList } from "../base/linked-list.ts";
import type { LockState } from "../port/index.ts";
import type { Ask } from "./candidate.ts";
import { holderOf, type Holder } from "./holder.ts";
import type { LockHost } from "./host.ts";
import { isOfThisProcess } from "./info.ts";
import type { Terms } from "./options.ts";
import { Refusal, timeoutError } from "./refusal.ts";
import type { Waiter } from "./waiter.ts";

/** The local queue, which knows the lease that is held here. */
interface LocalHolder {
  holder(remoteWaiting: number): Holder | undefined;
}

/** The waiters of a local queue, in their order, and how they leave without a lease. */
export class Waiters extends LinkedList<Waiter> {
  readonly #host: LockHost;
  readonly #lock: Key;
  readonly #queue: LocalHolder;
  /** How many of them try once. */
  #tries = 0;
  /** The state that came with the last refusal of the store. */
  #state: LockState | undefined;
  /** Why the store could not be asked last, if it could not. */
  #trouble: { readonly error: unknown } | undefined;

  constructor(host: LockHost, lock: Key, queue: LocalHolder) {
    super();
    this.#host = host;
    this.#lock = lock;
    this.#queue = queue;
  }

  override append(waiter: Waiter): void {
    super.append(waiter);
    waiter.queued = true;
    if (waiter.request.terms.waitMs === 0) this.#tries++;
  }

  /** Lets the deadline and the signal of a waiter end it, and keeps the process alive for it. */
  arm(waiter: Waiter): void {
    const { waitMs, timeoutMs } = waiter.request.terms;
    waiter.armed = true;
    this.#host.keepAlive.enter();
    if (waitMs < Infinity) {
      waiter.deadline = this.#host.time.monotonic() + (waitMs === 0 ? timeoutMs : waitMs);
      this.#host.schedule.add(waiter);
    }
    if (waiter.signal) waiter.watch = watchAbort(waiter.signal, waiter);
  }

  override remove(waiter: Waiter): void {
    super.remove(waiter);
    waiter.queued = false;
    if (waiter.request.terms.waitMs === 0) this.#tries--;
    if (!waiter.armed) return;
    this.#host.keepAlive.leave();
    if (waiter.deadline !== Infinity) this.#host.schedule.delete(waiter);
    waiter.watch?.end();
  }

  /** The store has answered; with the state of the lock if it refused. */
  answered(state?: LockState): void {
    if (state) this.#state = state;
    this.#trouble = undefined;
  }

  /** The store refuses to be asked for now: rejects the waiters that try once. */
  troubled(error: unknown): void {
    this.#trouble = { error };
    this.rejectAll(error, ({ waitMs }) => waitMs === 0);
  }

  /** Rejects every waiter, or those whose terms are such. */
  rejectAll(error: unknown, whose: (terms: Terms) => boolean = () => true): void {
    for (const waiter of this.toArray()) {
      if (!whose(waiter.request.terms)) continue;
      this.remove(waiter);
      waiter.reject(error);
    }
  }

  /** Refuses the waiters that try once; with `ask`, only those that asked for the same. */
  refuseTries(ask?: Ask): void {
    if (this.#tries === 0) return;
    for (const waiter of this.toArray()) {
      const { terms, mode, limit } = waiter.request;
      if (terms.waitMs > 0 || (ask && (mode !== ask.mode || limit !== ask.limit))) continue;
      this.remove(waiter);
      this.refuse(waiter);
    }
  }

  /** The time of a waiter is over. */
  timeOut(waiter: Waiter): void {
    this.remove(waiter);
    const backend = this.#host.instance.backend.name;
    if (this.#trouble) waiter.reject(this.#trouble.error);
    else if (waiter.request.terms.waitMs > 0) this.refuse(waiter);
    else waiter.reject(new UnavailableError("timed out: nothing was asked", { backend, key: this.#lock.key }));
  }

  /** Refuses a waiter that is not in the list, and says who holds the lock. */
  refuse(waiter: Waiter): void {
    const state = this.#state;
    const here = this.#queue.holder(state?.waiting ?? 0);
    const holder = here ?? holderOf(this.#lock, state);
    const own = here !== undefined || (state?.holders.some((one) => isOfThisProcess(one.owner)) ?? false);
    const refusal = new Refusal(holder, own);
    const { quiet, terms } = waiter.request;
    if (quiet) waiter.resolve(refusal);
    else waiter.reject(timeoutError(refusal, this.#lock.key, terms.waitMs, this.#host.instance.backend.name));
  }
}
