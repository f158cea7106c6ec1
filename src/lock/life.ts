import type { Time } from "../base/time.ts";
import { marginMs, type Moment } from "./margin.ts";
import type { Tenant } from "./tenant.ts";

/** Shortest pause before a failed renewal is tried again, in ms. */
const shortestRetryMs = 20;

/**
 * How long a grant lasts, by the clocks of this process, and when it is due for renewal. It counts from before the
 * store was last asked, less a margin.
 */
export class Life {
  /** Whether a renewal is under way. */
  renewing = false;
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

  /** When it ends here, by `time.monotonic()`. */
  get end(): number {
    return this.#mono + this.#lifeMs;
  }

  /** When it ends at the store at the latest, by the same clock. */
  get storeEnd(): number {
    return this.#mono + this.#ttlMs + 1;
  }

  /** Whether the reply to an extension was lost: a late copy of it may take effect at any time. */
  get unsure(): boolean {
    return this.#lateMs < Infinity;
  }

  /** Time left, in ms, by the clock that went further. `now` is `time.monotonic()`. */
  remainingMs(now: number): number {
    const mono = now - this.#mono;
    const wall = this.#time.wall() - this.#wall;
    return this.#lifeMs - (mono > wall ? mono : wall);
  }

  /** Whether it lasts longer than after an extension by that ttl. */
  outlasts(ttlMs: number, now: number): boolean {
    return ttlMs - marginMs(ttlMs) < this.remainingMs(now);
  }

  /** When the next renewal for a tenant is due, by `time.monotonic()`; Infinity if there is to be none. */
  renewalAt(tenant: Tenant | undefined): number {
    if (this.renewing || !tenant?.terms.renew || this.reachesMaxHold(tenant)) return Infinity;
    return this.#renewAt;
  }

  /** Whether it lasts until the tenant's `maxHold`. */
  reachesMaxHold({ since, terms }: Tenant): boolean {
    return this.storeEnd >= since + terms.maxHoldMs;
  }

  /** A renewal has failed: the next one is due after a pause. */
  renewalFailed(now: number): void {
    const pauseMs = Math.min(this.#ttlMs / 9, this.remainingMs(now) / 4);
    this.#renewAt = Math.max(this.#renewAt, now + Math.max(shortestRetryMs, pauseMs));
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

  /** The reply to an extension by that ttl was lost. */
  doubt(ttlMs: number): void {
    this.#lateMs = Math.min(this.#lateMs, ttlMs);
  }
}
