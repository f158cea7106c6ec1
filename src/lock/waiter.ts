import type { Abortable, AbortWatch } from "../base/aborts.ts";
import type { Linked } from "../base/linked-list.ts";
import type { Expiring } from "../client/deadlines.ts";
import type { LockMode } from "../port/index.ts";
import type { Lease } from "./lease.ts";
import type { Terms } from "./options.ts";
import type { Refusal } from "./refusal.ts";

/** One call that wants a lock. */
export interface LockRequest {
  readonly terms: Terms;
  readonly mode: LockMode;
  /** Most holders at a time, for a shared lock. */
  readonly limit: number | undefined;
  /** Whether the call resolves with a {@link Refusal} if the lock is not free, instead of rejecting. */
  readonly quiet: boolean;
}

/** The local queue that a waiter waits in. */
interface Queue {
  timedOut(waiter: Waiter): void;
  aborted(waiter: Waiter): void;
}

/** A request in a local queue. Its caller leaves with a lease or a refusal, by its signal or at its deadline. */
export class Waiter implements Expiring, Abortable, Linked<Waiter> {
  readonly request: LockRequest;
  /** When its wait ends, by `time.monotonic()`; Infinity if only its signal ends it. */
  deadline = Infinity;
  /** Whether it is in its queue. */
  queued = false;
  /** Whether its deadline and its signal can end it. */
  armed = false;
  watch: AbortWatch | undefined = undefined;
  readonly resolve: (outcome: Lease | Refusal) => void;
  readonly reject: (reason: unknown) => void;
  previous: Waiter | undefined;
  next: Waiter | undefined;
  readonly #queue: Queue;

  constructor(
    queue: Queue,
    request: LockRequest,
    resolve: (outcome: Lease | Refusal) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#queue = queue;
    this.request = request;
    this.resolve = resolve;
    this.reject = reject;
  }

  get signal(): AbortSignal | undefined {
    return this.request.terms.signal;
  }

  expire(): void {
    this.#queue.timedOut(this);
  }

  abort(): void {
    this.#queue.aborted(this);
  }
}
