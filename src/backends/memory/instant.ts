import type { Time } from "../../base/time.ts";

/**
 * The clocks, each read at most once a group: all of a group happens at one instant, and an unused clock costs nothing.
 */
export class Instant {
  readonly #time: Time;
  #wall = -1;
  #monotonic = -1;

  constructor(time: Time) {
    this.#time = time;
  }

  /** A new instant starts. */
  begin(): void {
    this.#wall = -1;
    this.#monotonic = -1;
  }

  /** Milliseconds since 1970: records end by it. */
  get wall(): number {
    return this.#wall < 0 ? (this.#wall = this.#time.wall()) : this.#wall;
  }

  /** Milliseconds that only rise: leases, claims, marks and floors end by it. */
  get monotonic(): number {
    return this.#monotonic < 0 ? (this.#monotonic = this.#time.monotonic()) : this.#monotonic;
  }
}
