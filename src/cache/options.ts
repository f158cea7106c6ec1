import { toMs, toMsOrNever, type Duration } from "../base/durations.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import { checkKey, MAX_KEY_BYTES, utf8Length } from "../base/keys.ts";
import type { CallOptions } from "../client/index.ts";
import { json, type Codec } from "../codec/index.ts";
import type { Isolate } from "./isolation.ts";

/** Longest tag, in bytes of UTF-8: it is part of a key. */
const MAX_TAG_BYTES = MAX_KEY_BYTES - 1;
/** Most tags of an entry: every read of it compares them all, and they are stored with it. */
const MAX_TAGS = 64;
/** How long a store may take to answer a cache unless told otherwise, in ms. */
const DEFAULT_TIMEOUT = 1_000;
/** Entries that the in-process tier holds unless told otherwise. */
const DEFAULT_MAX_ITEMS = 10_000;

/** What a cache is made with. */
export interface CacheOptions {
  /** Whose cache it is: the same service and name are the same entries. Default: `""`. */
  readonly service?: string | undefined;
  /**
   * How long an entry lives, unless the call says so: milliseconds, a string such as `"5m"`, or `"never"` (it ends by
   * `delete`, by its tags, by `clear`, or where the store makes room). No default: without it every write has to say.
   */
  readonly ttl?: Duration | "never" | undefined;
  /**
   * What keeps callers from changing each other's values. `"freeze"` (the default): plain objects and arrays are
   * frozen, deeply, and may be shared; a value that holds a Map, a Set, a Date, bytes or an instance of a class cannot
   * be frozen, so each caller gets a copy of its own. `"clone"`: always a copy of its own. `"reference"`: all who wait
   * for one load get the loader's object itself.
   */
  readonly isolate?: Isolate | undefined;
  /**
   * Most entries in this process, where the data is kept in it (Memory): the one that was not used for longest makes
   * room. Default: 10,000. What a server or a file holds is bounded by the entries' ttl.
   */
  readonly maxItems?: number | undefined;
  /**
   * How long a call waits for the store, unless the call says otherwise: reads are a miss then, changes reject. Shorter
   * than that of other calls, since a cache can do without its store. Default: `"1s"`, or that of `connect` where it is
   * shorter.
   */
  readonly timeout?: Duration | undefined;
  /**
   * How long a loader may run, unless the call says otherwise. Then all who wait get LoadTimeoutError, the loader's
   * signal aborts, the key is free and what the loader gives later is dropped. Default: no limit.
   */
  readonly loadTimeout?: Duration | undefined;
  /** How values are stored. Default: `json`, which refuses instances of classes; `plainJson` takes them. */
  readonly codec?: Codec | undefined;
}

/** Options of `set` and `setMany`. */
export interface SetOptions extends CallOptions {
  /** How long the entry lives. Default: the cache's. */
  readonly ttl?: Duration | "never" | undefined;
  /** Names to invalidate it by: at most 64, non-empty strings of at most 1,023 bytes of UTF-8. Default: none. */
  readonly tags?: readonly string[] | undefined;
}

/** One entry for `setMany`. */
export interface SetEntry<V> {
  readonly key: string;
  readonly value: V;
  /** How long it lives. Default: what the call says, else the cache. */
  readonly ttl?: Duration | "never" | undefined;
  /** Its tags, in place of the call's; see {@link SetOptions.tags}. Default: the call's. */
  readonly tags?: readonly string[] | undefined;
}

/** An entry as `getEntry` shows it. */
export interface CacheEntry<V> {
  readonly key: string;
  readonly value: V;
  /** When it ends, in milliseconds since 1970 by the store's clock. Absent for one that does not. */
  readonly expiresAt?: number;
  /** What it can be invalidated by. */
  readonly tags: readonly string[];
}

/** Options of `getOrSet` and `getOrSetMany`. Of callers who share a load, those of the first decide. */
export interface GetOrSetOptions extends SetOptions {
  /** How long the loader may run; see {@link CacheOptions.loadTimeout}. Default: the cache's. */
  readonly loadTimeout?: Duration | undefined;
}

/** A cache's options, resolved. */
export interface CacheSettings {
  readonly service: string;
  /** In ms, `Infinity` for never. */
  readonly ttl: number | undefined;
  readonly isolate: Isolate;
  readonly maxItems: number;
  /** In ms. */
  readonly timeout: number;
  /** In ms; undefined for no limit. */
  readonly loadTimeout: number | undefined;
  readonly codec: Codec;
}

/** How an entry is written. */
export interface EntrySettings {
  /** In ms, `Infinity` for never. */
  readonly ttl: number;
  readonly tags: readonly string[];
}

/** How an entry is loaded and written. */
export interface LoadSettings extends EntrySettings {
  /** In ms; undefined for no limit. */
  readonly loadTimeout: number | undefined;
}

/** `longest`: the instance's timeout, in ms. */
export function resolveCacheOptions(options: CacheOptions = {}, longest = Infinity): CacheSettings {
  const isolate = options.isolate ?? "freeze";
  if (isolate !== "freeze" && isolate !== "clone" && isolate !== "reference") {
    throw new InvalidArgumentError('isolate must be "freeze", "clone" or "reference"');
  }
  const maxItems = options.maxItems ?? DEFAULT_MAX_ITEMS;
  if (!Number.isSafeInteger(maxItems) || maxItems < 1) {
    throw new InvalidArgumentError("maxItems must be a whole number of at least 1");
  }
  return {
    service: options.service ?? "",
    ttl: options.ttl === undefined ? undefined : toMsOrNever(options.ttl, "ttl"),
    isolate,
    maxItems,
    timeout: options.timeout === undefined ? Math.min(DEFAULT_TIMEOUT, longest) : toMs(options.timeout, "timeout"),
    loadTimeout: options.loadTimeout === undefined ? undefined : toMs(options.loadTimeout, "loadTimeout"),
    codec: options.codec ?? json,
  };
}

/** What holds for the entries of a call that do not say otherwise; the ttl may be unknown still. */
export function resolveDefaults(
  options: SetOptions | undefined,
  cache: CacheSettings,
): { readonly ttl: number | undefined; readonly tags: readonly string[] } {
  const ttl = options?.ttl === undefined ? cache.ttl : toMsOrNever(options.ttl, "ttl");
  return { ttl, tags: checkEntryTags(options?.tags ?? []) };
}

/** How an entry is loaded. Throws InvalidArgumentError where neither the call nor the cache says how long it lives. */
export function resolveLoadOptions(options: GetOrSetOptions | undefined, cache: CacheSettings): LoadSettings {
  const own = options?.loadTimeout;
  return {
    ttl: ttlOf(options?.ttl, cache.ttl),
    tags: checkEntryTags(options?.tags ?? []),
    loadTimeout: own === undefined ? cache.loadTimeout : toMs(own, "loadTimeout"),
  };
}

/** A ttl in ms, `Infinity` for never. Throws InvalidArgumentError where none is known. */
export function ttlOf(own: Duration | "never" | undefined, fallback: number | undefined): number {
  const ttl = own === undefined ? fallback : toMsOrNever(own, "ttl");
  if (ttl !== undefined) return ttl;
  throw new InvalidArgumentError('ttl is required: give one to the cache or to the call, or "never"');
}

/** The tags, each once, in an array of our own. */
export function checkTags(tags: unknown): readonly string[] {
  if (!Array.isArray(tags)) throw new InvalidArgumentError("tags must be an array of strings");
  const checked = new Set<string>();
  for (const tag of tags as readonly unknown[]) {
    const text = checkKey(tag, "tag");
    if (utf8Length(text) > MAX_TAG_BYTES) {
      throw new InvalidArgumentError(`tag must be at most ${MAX_TAG_BYTES} bytes of UTF-8`);
    }
    checked.add(text);
  }
  return [...checked];
}

/** The tags of one entry, as {@link checkTags}, and not too many: `before` are those that it has already. */
export function checkEntryTags(tags: unknown, before: readonly string[] = []): readonly string[] {
  const own = checkTags(tags);
  const checked = before.length === 0 ? own : [...new Set([...before, ...own])];
  if (checked.length > MAX_TAGS) throw new InvalidArgumentError(`an entry must have at most ${MAX_TAGS} tags`);
  return checked;
}

/** The keys, each once. */
export function checkKeys(keys: unknown): readonly string[] {
  if (typeof keys !== "object" || keys === null || !(Symbol.iterator in keys)) {
    throw new InvalidArgumentError("keys must be an iterable of strings");
  }
  const checked = new Set<string>();
  for (const key of keys as Iterable<unknown>) checked.add(checkKey(key));
  return [...checked];
}
