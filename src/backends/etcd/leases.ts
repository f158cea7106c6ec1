import { systemTime } from "../../base/time.ts";
import { before } from "../common/deadline.ts";
import { StoreError } from "../store/index.ts";
import type { Limit } from "../store/store.ts";

/** Shortest time that cells of one lease may end after one another, in ms. */
const leastMs = 1_000;
/** Longest ttl of a lease, in ms: what ends later stays. */
const mostMs = 9e9 * 1_000;
/** So long before its deadline whoever waits for a lease gives up, in ms: it learns that nothing was sent. */
const earlyMs = 50;

/** A moment by both clocks, in ms. */
export interface Moment {
  readonly wall: number;
  readonly mono: number;
}

export const momentNow = (): Moment => ({ wall: Date.now(), mono: performance.now() });

/** Asks for a lease of so many seconds. */
type Grant = (seconds: number, limit: Limit) => Promise<number | bigint>;

interface Lease {
  readonly granted: Promise<number | bigint>;
  /** Once it is granted. */
  id: number | bigint | undefined;
  readonly asked: Moment;
  /** For how long it lasts from then on at least, in ms. */
  readonly lasts: number;
}

/**
 * Leases that remove what has ended. What ends at about the same time shares one: it ends behind all of that, by up to
 * half of the time to go or a second, and then the server takes a while. Nothing goes too early: a lease counts
 * from before it was asked for, by the clock of this process that went further, and is longer than that by 1 %.
 */
export class Leases {
  readonly #grant: Grant;
  /** By when they end, by the monotonic clock. */
  readonly #leases = new Map<number, Lease>();

  constructor(grant: Grant) {
    this.#grant = grant;
  }

  /**
   * The lease for what may go at `end`, by the monotonic clock; 0 is none. Rejects as `grant` does, or shortly before
   * the deadline: nothing was sent then.
   */
  async until(end: number, { deadline }: Limit): Promise<number | bigint> {
    const now = momentNow();
    const left = Math.max(end - now.mono, 0);
    if (left > mostMs) return 0;
    const width = leastMs * 2 ** Math.max(0, Math.ceil(Math.log2(left / 4 / leastMs)));
    const shared = Math.ceil((now.mono + left) / width) * width;
    const known = this.#leases.get(shared);
    const isGood = known && known.lasts - passed(known.asked, now) >= left;
    const lease = isGood ? known : this.#ask(shared, now, deadline);
    const late = (): Error => new StoreError("the server gave no lease in time", { sent: false });
    return lease.id ?? before(lease.granted, { time: systemTime, deadline: deadline - earlyMs, late });
  }

  /** The server has lost them. */
  forget(): void {
    this.#leases.clear();
  }

  #ask(shared: number, now: Moment, deadline: number): Lease {
    for (const old of this.#leases.keys()) if (old < now.mono) this.#leases.delete(old);
    const lasts = shared - now.mono;
    const granted = this.#grant(Math.ceil((lasts * 1.01) / 1_000), { deadline });
    const lease: Lease = { granted, id: undefined, asked: now, lasts };
    this.#leases.set(shared, lease);
    granted.then(
      (id) => (lease.id = id),
      () => this.#leases.get(shared) === lease && this.#leases.delete(shared),
    );
    return lease;
  }
}

/** By the clock that went further: the monotonic one stands still while the machine sleeps. */
const passed = (since: Moment, now: Moment): number => Math.max(now.mono - since.mono, now.wall - since.wall);
