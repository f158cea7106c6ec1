import { watchAbort } from "../base/aborts.ts";
import { LinkedList } from "../base/linked-list.ts";
import type { LockTable } from "./table.ts";
import type { Waiter } from "./waiter.ts";

/** Those who wait, in their order. */
export class Line extends LinkedList<Waiter> {
  /** How many of them try once. */
  tries = 0;
  readonly #table: LockTable;

  constructor(table: LockTable) {
    super();
    this.#table = table;
  }

  override append(waiter: Waiter): void {
    super.append(waiter);
    waiter.queued = true;
    if (waiter.request.terms.waitMs === 0) this.tries++;
  }

  /** Has it told when its time is over or its signal aborts, and keeps the process alive for it. */
  arm(waiter: Waiter): void {
    const { waitMs, timeoutMs } = waiter.request.terms;
    waiter.armed = true;
    this.#table.waiting();
    if (waitMs < Infinity) {
      waiter.deadline = this.#table.time.monotonic() + (waitMs === 0 ? timeoutMs : waitMs);
      this.#table.schedule.add(waiter);
    }
    if (waiter.signal) waiter.watch = watchAbort(waiter.signal, waiter);
  }

  override remove(waiter: Waiter): void {
    super.remove(waiter);
    waiter.queued = false;
    if (waiter.request.terms.waitMs === 0) this.tries--;
    if (!waiter.armed) return;
    this.#table.waited();
    if (waiter.deadline !== Infinity) this.#table.schedule.delete(waiter);
    waiter.watch?.end();
  }
}
