import type { Time } from "../../base/time.ts";

/** For how long what was read of a server's clock is counted on, in ms. */
const freshMs = 10_000;
/** By how much two clocks may go apart in a ms. */
const drift = 1 / 1_000;

/**
 * What is known of the clock that ends leases. Of a server's there are two bounds: it has passed `passed`, and has
 * not passed `notYet`; of a process' own clock both are its time.
 */
export class StoreClock {
  readonly #time: Time;
  readonly #own: boolean;
  #told: { readonly now: number; readonly asked: number; readonly heard: number } | undefined;

  constructor(time: Time, whose: "server" | "client") {
    this.#time = time;
    this.#own = whose === "client";
  }

  /**
   * The server told its time; the request was sent at `asked`, by the monotonic clock. What time it is for what was
   * read then.
   */
  read(now: number | undefined, asked: number): number {
    if (this.#own || now === undefined) return this.#time.wall();
    this.#told = { now, asked, heard: this.#time.monotonic() };
    return now;
  }

  /** A moment that has passed, or undefined where nothing is known. */
  passed(): number | undefined {
    if (this.#own) return this.#time.wall();
    const told = this.#told;
    if (!told) return undefined;
    const age = this.#time.monotonic() - told.heard;
    return age > freshMs ? undefined : told.now + age * (1 - drift);
  }

  /** A moment that has not passed. */
  notYet(): number {
    if (this.#own) return this.#time.wall();
    const told = this.#told;
    return told ? told.now + (this.#time.monotonic() - told.asked) * (1 + drift) : Infinity;
  }
}
