import type { Time, Timer } from "../../base/time.ts";

/** Longer than any process lives; a timer is set anew where it rings. */
const longMs = 2 ** 31 - 1;

/** Keeps the process alive while calls are under way: what a store waits for need not. */
export class KeepAlive {
  readonly #time: Time;
  #calls = 0;
  #timer: Timer | undefined;

  constructor(time: Time) {
    this.#time = time;
  }

  /** A call begins. */
  enter(): void {
    if (++this.#calls === 1) this.#set();
  }

  /** A call has ended. */
  leave(): void {
    if (--this.#calls > 0) return;
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #set(): void {
    this.#timer = this.#time.after(longMs, () => this.#set(), { ref: true });
  }
}
