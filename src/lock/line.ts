import type { LockTable } from "./table.ts";
import type { Waiter } from "./waiter.ts";

/** Those who wait, in their order: a linked list, so that leaving costs the same wherever one stands. */
export class Line {
  first: Waiter | undefined;
  size = 0;
  #last: Waiter | undefined;
  readonly #table: LockTable;

  constructor(table: LockTable) {
    this.#table = table;
  }

  append(waiter: Waiter): void {
    waiter.queued = true;
    waiter.previous = this.#last;
    if (this.#last) this.#last.next = waiter;
    else this.first = waiter;
    this.#last = waiter;
    this.size++;
  }

  /** Has it told when its time is over or its signal aborts, and keeps the process alive for it. */
  arm(waiter: Waiter): void {
    const { waitMs } = waiter.request.terms;
    waiter.armed = true;
    this.#table.waiting();
    if (waitMs > 0 && waitMs < Infinity) {
      waiter.deadline = this.#table.time.monotonic() + waitMs;
      this.#table.schedule.add(waiter);
    }
    this.#table.aborts.add(waiter);
  }

  remove(waiter: Waiter): void {
    const { previous, next } = waiter;
    if (previous) previous.next = next;
    else this.first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    // One that has grown old would keep all that came after it alive, until the whole heap is collected.
    waiter.previous = undefined;
    waiter.next = undefined;
    waiter.queued = false;
    this.size--;
    if (!waiter.armed) return;
    this.#table.waited();
    if (waiter.deadline !== Infinity) this.#table.schedule.delete(waiter);
    this.#table.aborts.delete(waiter);
  }
}
