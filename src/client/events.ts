import type { LeaseLostReason } from "../base/errors.ts";

/** The events of `on(event, listener)`. No event holds a value or a credential. */
export interface HoldfastEvents {
  /** A lease ended before its release. */
  readonly leaseLost: {
    readonly lock: string;
    readonly keys: readonly string[];
    readonly owner: string;
    readonly why: LeaseLostReason;
  };
  /** A renewal has failed. It is tried again while the lease lives. */
  readonly renewalFailed: { readonly lock: string; readonly keys: readonly string[]; readonly error: unknown };
  /** A lease could not be released in time. The release is repeated until the lease would have ended by its ttl. */
  readonly releaseFailed: { readonly lock: string; readonly keys: readonly string[]; readonly error: unknown };
  /** A cache went on without its store: a miss, or a value that was not kept. */
  readonly cacheError: {
    readonly cache: string;
    readonly operation: string;
    readonly key?: string | undefined;
    readonly error: unknown;
  };
  /** The store of the caches does not answer. They go on without it, and ask it now and then. Once for all of them. */
  readonly cacheStoreDown: { readonly error: unknown };
  /** The store of the caches answers again. */
  readonly cacheStoreUp: { readonly durationMs: number };
  /** Signals may have been missed. Watchers get a `gap`. */
  readonly gap: { readonly name: string };
  /** Something in the background failed and will be tried again. */
  readonly error: { readonly what: string; readonly error: unknown };
}
