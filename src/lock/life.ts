import type { Time } from "../base/time.ts";
import { marginMs, type Moment } from "./margin.ts";

/**
 * How long a grant lasts, by the clocks of this process: counted from before the store was last asked, less a margin.
 */
export class Life {
  readonly #time: Time;
  #mono: number;
  #wall: number;
  #ttlMs: number;
  #lifeMs: number;
  /** The shortest ttl that a late copy of a request may yet arm, whatever the store has confirmed since. */
  #lateMs = Infinity;
  #renewAt: number;

  constructor(time: Time, { mono, wall }: Moment, ttlMs: number, renewAt: number | undefined) {
    this.#time = time;
    this.#mono = mono;
    this.#wall = wall;
    this.#ttlMs = ttlMs;
    this.#lifeMs = ttlMs - marginMs(ttlMs);
    this.#renewAt = renewAt ?? mono + ttlMs / 3;
  }

  /** The ttl that the store was last asked for. */
  get ttlMs(): number {
    return this.#ttlMs;
  }

  /** When it ends here, by `time.monotonic()`. */
  get end(): number {
    return this.#mono + this.#lifeMs;
  }

  /** When it ends at the store at the latest, by the same clock. */
  get storeEnd(): number {
    return this.#mono + this.#ttlMs + 1;
  }

  /** From when on it is to be renewed. */
  get renewAt(): number {
    return this.#renewAt;
  }

  /** The reply to an extension was lost, and a late copy of it may take effect at any time. */
  get unsure(): boolean {
    return this.#lateMs < Infinity;
  }

  /** Time left by whichever clock went further. `now` is `time.monotonic()`. */
  remainingMs(now: number): number {
    const mono = now - this.#mono;
    const wall = this.#time.wall() - this.#wall;
    return this.#lifeMs - (mono > wall ? mono : wall);
  }

  /**
   * Whether an extension by so much ends before this does: it counts from when it is asked for then, whatever becomes
   * of it.
   */
  outlasts(ttlMs: number, now: number): boolean {
    return ttlMs - marginMs(ttlMs) < this.remainingMs(now);
  }

  /** The store was asked for the ttl at that moment. */
  arm({ mono, wall }: Moment, ttlMs: number): void {
    const surelyMs = Math.min(ttlMs, this.#lateMs);
    this.#mono = mono;
    this.#wall = wall;
    this.#ttlMs = ttlMs;
    this.#lifeMs = surelyMs - marginMs(surelyMs);
    this.#renewAt = mono + surelyMs / 3;
  }

  /** The reply to an extension by so much was lost. */
  doubt(ttlMs: number): void {
    this.#lateMs = Math.min(this.#lateMs, ttlMs);
  }
}
