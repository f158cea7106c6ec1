import type { Abortable, AbortWatch } from "../base/aborts.ts";
import { LockTimeoutError, type HolderInfo } from "../base/errors.ts";
import type { Linked } from "../base/linked-list.ts";
import type { Expiring } from "../client/deadlines.ts";
import type { LockMode } from "../port/index.ts";
import type { Holder } from "./holder.ts";
import type { Lease } from "./lease.ts";
import type { Terms } from "./options.ts";

/** One call that wants a lock. */
export interface Request {
  readonly terms: Terms;
  readonly mode: LockMode;
  /** Most holders at a time, where they share. */
  readonly limit: number | undefined;
  /** Whether a lock that is not free is a {@link Refusal} instead of an error. */
  readonly quiet: boolean;
}

/** The lock was not free in time. */
export class Refusal {
  readonly holder: Holder | undefined;
  readonly heldByThisProcess: boolean;

  constructor(holder: Holder | undefined, heldByThisProcess: boolean) {
    this.holder = holder;
    this.heldByThisProcess = heldByThisProcess;
  }
}

/** The error for a refusal. */
export function timeoutError(refusal: Refusal, key: string, waitMs: number, backend: string): LockTimeoutError {
  const { holder, heldByThisProcess } = refusal;
  const by = holder?.label === undefined ? "" : ` by ${JSON.stringify(holder.label)}`;
  const where = heldByThisProcess ? `: held${by} in this very process` : holder ? `: held${by}` : "";
  const info: HolderInfo | undefined = holder;
  const message = `the lock was not free ${waitMs === 0 ? "at once" : `within ${waitMs} ms`}${where}`;
  return new LockTimeoutError(message, { key, backend, holder: info, heldByThisProcess });
}

/** Whom a waiter tells that its time is over. */
interface Queue {
  timedOut(waiter: Waiter): void;
  aborted(waiter: Waiter): void;
}

/** A request in a local queue. */
export class Waiter implements Expiring, Abortable, Linked<Waiter> {
  readonly request: Request;
  /** When it no longer waits, or waits to be asked for where it tries once; Infinity for one that waits until its signal. */
  deadline = Infinity;
  /** In its queue. */
  queued = false;
  /** In the schedule and heard by its signal. */
  armed = false;
  watch: AbortWatch | undefined = undefined;
  readonly resolve: (outcome: Lease | Refusal) => void;
  readonly reject: (reason: unknown) => void;
  previous: Waiter | undefined;
  next: Waiter | undefined;
  readonly #queue: Queue;

  constructor(
    queue: Queue,
    request: Request,
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
