import type { Signal } from "../../port/index.ts";

/** Somebody who listens. One that was ended is told no more, also of what was under way. */
export interface Listening {
  readonly listener: (signal: Signal) => void;
  live: boolean;
}

/** Tells listeners in a microtask of their own: never inside of what they are told of, one at a time, in order. */
export class Delivery {
  #due: { readonly to: Listening; readonly signal: Signal }[] = [];

  tell(to: Listening, signal: Signal): void {
    this.#due.push({ to, signal });
    if (this.#due.length === 1) queueMicrotask(() => this.#deliver());
  }

  #deliver(): void {
    const due = this.#due;
    let told = 0;
    try {
      while (told < due.length) {
        const { to, signal } = due[told++] as (typeof due)[number];
        if (to.live) to.listener(signal);
      }
    } finally {
      // A listener that threw has not silenced the others: its error is uncaught, the rest is told all the same.
      this.#due = due.slice(told);
      if (this.#due.length > 0) queueMicrotask(() => this.#deliver());
    }
  }
}
