import { isRefusal, UnavailableError, type HoldfastError } from "../../base/errors.ts";
import { LinkedList, type Linked } from "../../base/linked-list.ts";
import type { Time } from "../../base/time.ts";
import { Alarm } from "../common/alarm.ts";
import type { PendingCallers, Stay } from "../common/pending.ts";

interface Waiter<T> extends Linked<Waiter<T>> {
  readonly deadline: number;
  readonly stay: Stay;
  place?: number | undefined;
  resolve(value: T): void;
  reject(error: Error): void;
}

export interface WaitingLineOptions {
  readonly backend: string;
  readonly time: Time;
  /** How many may wait, here and elsewhere. */
  readonly pending: PendingCallers;
  /** What is in the way, for the error at the deadline. */
  problem(): HoldfastError | undefined;
  /** Whether there is a connection, which others have. */
  busy(): boolean;
}

/** Callers that wait for a connection, first come, first served, each until its deadline. */
export class WaitingLine<T> {
  readonly #options: WaitingLineOptions;
  readonly #waiters = new LinkedList<Waiter<T>>();
  readonly #alarm: Alarm<Waiter<T>>;

  constructor(options: WaitingLineOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.time, (waiter) => this.#end(waiter).reject(this.#late()));
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Rejects with UnavailableError at the deadline, or at once where too many wait. */
  wait(deadline: number): Promise<T> {
    const { pending } = this.#options;
    const stay = pending.enter(1);
    if (stay.admitted === 0) return Promise.reject(pending.full());
    return new Promise((resolve, reject) => {
      const waiter: Waiter<T> = { deadline, stay, resolve, reject, previous: undefined, next: undefined };
      this.#waiters.append(waiter);
      this.#alarm.add(waiter);
    });
  }

  /** Serves the first, if anybody waits. */
  serve(make: () => T): void {
    const { first } = this.#waiters;
    if (first) this.#end(first).resolve(make());
  }

  rejectAll(error: HoldfastError): void {
    for (const waiter of this.#waiters.toArray()) this.#end(waiter).reject(error);
  }

  #end(waiter: Waiter<T>): Waiter<T> {
    this.#waiters.remove(waiter);
    this.#alarm.delete(waiter);
    waiter.stay.leave();
    return waiter;
  }

  /** What is in the way, as those are told who waited until their deadlines. */
  get problem(): UnavailableError | undefined {
    const { backend, problem } = this.#options;
    const cause = problem();
    if (!cause) return undefined;
    const message = `no connection within the time given: ${cause.message}`;
    return new UnavailableError(message, { backend, cause, refused: isRefusal(cause) });
  }

  #late(): UnavailableError {
    const { problem } = this;
    if (problem) return problem;
    const { backend, busy } = this.#options;
    const message = busy() ? "no connection became free within the time given" : "no connection within the time given";
    return new UnavailableError(message, { backend });
  }
}
