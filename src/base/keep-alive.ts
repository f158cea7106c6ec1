import { longestTimer, type Time, type Timer } from "./time.ts";

/** Keeps the process alive while calls are under way that wait for what need not. */
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
    this.#timer = this.#time.after(longestTimer, () => this.#set(), { ref: true });
  }
}
