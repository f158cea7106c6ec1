import type { LeaseLostError, LeaseLostReason } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import type { LockMode } from "../port/index.ts";
import type { Hold } from "./hold.ts";
import type { Moment } from "./margin.ts";
import type { Terms } from "./options.ts";
import type { LockTable } from "./table.ts";
import type { Tenure } from "./tenure.ts";

/** Who is told when a tenure is passed on or over: the local queue behind it. */
export interface Home {
  /**
   * Hands the tenure on to a waiter of this process; false if it is to be released instead. `now` is `time.monotonic()`,
   * `remainingMs` what is left of the tenure then: both clocks were looked at for it, and each look costs as much as a step of the hand-off.
   */
  pass(tenure: Tenure, hold: Hold, now: number, remainingMs: number): boolean;
  /** The tenure is over: lost, or being released. */
  ended(tenure: Tenure): void;
}

/** What a tenure is held for: a lease, or a part of one that is still being gathered. */
export interface Turn {
  /** Local hand-offs of the grant before it. */
  readonly n: number;
  readonly terms: Terms;
  /** By `time.monotonic()`. */
  readonly since: number;
  /** What a renewal arms. */
  readonly ttlMs: number;
  /** The error that ended it, if it was lost. */
  readonly lost: LeaseLostError | undefined;
  /** Called when it is first renewed. */
  weaken(): void;
  /** It is lost. */
  lose(why: LeaseLostReason, losing?: Losing): void;
}

/** More of a loss. */
export interface Losing {
  /** The store may still hold it: it is released. */
  readonly release?: boolean | undefined;
  /** Why it was forced. */
  readonly reason?: string | undefined;
  readonly cause?: unknown;
}

/** What the store granted. */
export interface Granting {
  readonly table: LockTable;
  /** One lock, or several that were granted together and raised to one grant. */
  readonly locks: readonly Key[];
  readonly mode: LockMode;
  /** The contender. */
  readonly owner: string;
  readonly grant: number;
  /** Before the request was sent. */
  readonly sent: Moment;
  readonly ttlMs: number;
  /** Set if it lasts for a claim only, which is to be extended then, by `time.monotonic()`. */
  readonly renewAt?: number | undefined;
  readonly home?: Home | undefined;
  /** Set if a request of the owner may yet arrive: the release refuses the owner for that long. */
  readonly markMs?: number | undefined;
}
