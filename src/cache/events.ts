/**
 * What became of a load: its value was kept; the loader said `skip` or gave undefined; a change that came while it ran
 * won; the store or the value failed, or the store is away; the loader failed.
 */
export type LoadOutcome = "kept" | "skipped" | "superseded" | "unkept" | "failed";

/** What a cache tells of, by `on(event, listener)`. No event holds a value. */
export interface CacheEvents {
  /** A value was found. */
  readonly hit: { readonly key: string };
  /** None was found, or it could not be read. */
  readonly miss: { readonly key: string };
  /**
   * A loader ran for this key. `durationMs` is the loader's own time. Told once the entry is written, after callers
   * have the value.
   */
  readonly load: { readonly key: string; readonly durationMs: number; readonly outcome: LoadOutcome };
  /** The cache went on without its store or without a value. The instance tells it as `cacheError` too. */
  readonly error: { readonly operation: string; readonly key?: string | undefined; readonly error: unknown };
  /** The store does not answer: from now on this cache goes on without it, and tells no `error` for each call. */
  readonly storeDown: { readonly error: unknown };
  /** The store answers again. `skipped` is how often this cache went on without asking it. */
  readonly storeUp: { readonly durationMs: number; readonly skipped: number };
  /** The in-process tier was full: the entry that was not used for longest made room. */
  readonly evict: { readonly key: string };
}

/** Counts since the cache object was made, of this object alone. */
export interface CacheStats {
  /** Keys found by `get`, `getMany`, `getOrSet`, `getOrSetMany` and `peek`. */
  readonly hits: number;
  /** Keys not found by them; one that a caller waited for at another's load is counted as `shared` instead. */
  readonly misses: number;
  /** Keys for which a loader ran to its end. */
  readonly loads: number;
  /** Keys for which a loader failed. */
  readonly loadErrors: number;
  /** Keys for which a caller joined a load, or a read, that was on its way. */
  readonly shared: number;
  /** Entries written, those of loads included. */
  readonly sets: number;
  /** Entries removed by `delete`. */
  readonly deletes: number;
  /** Entries that made room in the in-process tier. */
  readonly evictions: number;
  /** Times that the cache went on without its store or without a value, having tried. */
  readonly errors: number;
  /** Keys for which the store was not asked, because it does not answer. */
  readonly skipped: number;
}
