import type { SetOptions } from "./options.ts";

/** What a loader may still say of what it returns. */
export interface LateOptions {
  /** Replaces the call's ttl. */
  readonly ttl?: SetOptions["ttl"];
  /** Tags besides the call's. */
  readonly tags?: readonly string[] | undefined;
}

/** What a loader is given. */
export interface LoadContext<V> {
  readonly key: string;
  /**
   * Aborts when every caller who waits for this load has given up, when `loadTimeout` is over, and when the instance
   * closes.
   */
  readonly signal: AbortSignal;
  /**
   * The value that was there and is no longer current, where the store still has it: invalidated by a tag or by
   * `clear`.
   */
  readonly stale: V | undefined;
  /**
   * Sets the ttl of the entry and adds tags to it, 64 in all, both checked at once. May be called until the loader has
   * returned.
   */
  readonly set: (options: LateOptions) => void;
  /** The value is returned to all who wait, and not kept. */
  readonly skip: () => void;
}

/** What a loader of several keys is given. `set` and `skip` are for all of them. */
export type BulkLoadContext = Pick<LoadContext<unknown>, "signal" | "set" | "skip">;

/** Computes a value that is not in the cache. Its `undefined` is returned and not cached; `null` is cached. */
export type Loader<V, R = V> = (context: LoadContext<V>) => R | PromiseLike<R>;

/** Computes values that are not in the cache. A key that is missing in what it returns has no value. */
export type BulkLoader<V> = (
  keys: readonly string[],
  context: BulkLoadContext,
) => ReadonlyMap<string, V> | PromiseLike<ReadonlyMap<string, V>>;
