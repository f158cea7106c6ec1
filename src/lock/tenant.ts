import type { LeaseLostError, LeaseLostReason } from "../base/errors.ts";
import type { Terms } from "./options.ts";

/** Whom a tenure is held for at the moment: a lease, or a part of one that is still being gathered. */
export interface Tenant {
  /** How often the grant was handed on in this process before. */
  readonly n: number;
  readonly terms: Terms;
  /** Since when, by `time.monotonic()`. */
  readonly since: number;
  /** The ttl that a renewal arms. */
  readonly ttlMs: number;
  /** The error that ended it, if it was lost. */
  readonly lost: LeaseLostError | undefined;
  /** Whether an operation that names it may still take effect: the next holder needs a new grant. */
  readonly doubtful: boolean;
  /** Called at the first renewal. */
  weaken(): void;
  /** Called when the tenure is lost. */
  lose(why: LeaseLostReason, losing?: Losing): void;
}

/** The details of a loss. */
export interface Losing {
  /** Whether to release it, because the store may still hold it. */
  readonly release?: boolean | undefined;
  /** Why it was forced. */
  readonly reason?: string | undefined;
  readonly cause?: unknown;
}
