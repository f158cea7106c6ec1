import type { Time } from "../../base/time.ts";
import { ObservedLocks, Sightings } from "./observed-locks.ts";

/** For how long what was read of a server's clock is counted on, in ms. */
const freshMs = 10_000;
/** A reply that took longer, in ms, tells too little of a server's clock. */
const nearMs = 20;
/** By how much two clocks may go apart in a ms. */
const drift = 1 / 1_000;

/**
 * What is known of the clock that ends leases and records. A server's has passed what it told, and has not passed that
 * by more than the time since it was asked. A process' own clock is known.
 */
export class StoreClock {
  readonly #time: Time;
  readonly #own: boolean;
  readonly #sightings: Sightings | undefined;
  #told: { readonly now: number; readonly asked: number; readonly heard: number } | undefined;

  constructor(time: Time, whose: "server" | "client" | "none") {
    this.#time = time;
    this.#own = whose !== "server";
    this.#sightings = whose === "none" ? Sightings.of(time) : undefined;
  }

  /** What judges locks that no clock ends, now, by what was read at that order of the store. */
  observed(order?: number): ObservedLocks | undefined {
    return this.#sightings && new ObservedLocks(this.#sightings, order);
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

  /**
   * The time for what is decided without a read: a moment that has not passed, so that nothing ends sooner than it may,
   * and soon will have. Undefined where too little is known.
   */
  guess(): number | undefined {
    if (this.#own) return this.#time.wall();
    const told = this.#told;
    if (!told || told.heard - told.asked > nearMs) return undefined;
    return this.#time.monotonic() - told.asked > freshMs ? undefined : this.notYet();
  }

  /** A moment that has not passed. */
  notYet(): number {
    if (this.#own) return this.#time.wall();
    const told = this.#told;
    return told ? told.now + (this.#time.monotonic() - told.asked) * (1 + drift) : Infinity;
  }
}
