import type { Signal } from "../../../port/index.ts";

/** Somebody who listens. One that was ended is told no more, also of what was under way. */
export interface Listening {
  readonly listener: (signal: Signal) => void;
  live: boolean;
}

/** Calls listeners one at a time: what is told while one runs, by it or to it, waits until it has returned. */
export class Delivery {
  readonly #due: { readonly to: Listening; readonly signal: Signal }[] = [];
  #delivering = false;

  tell(listening: Iterable<Listening>, signal: Signal): void {
    for (const to of listening) this.#due.push({ to, signal });
    if (this.#delivering) return;
    this.#delivering = true;
    let at = 0;
    for (let next = this.#due[at]; next; next = this.#due[++at]) {
      if (next.to.live) this.#call(next.to.listener, next.signal);
    }
    this.#due.length = 0;
    this.#delivering = false;
  }

  #call(listener: (signal: Signal) => void, signal: Signal): void {
    try {
      listener(signal);
    } catch (error) {
      // A listener that threw has not silenced the others: its error is uncaught, the rest is told all the same.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
