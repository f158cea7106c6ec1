import type { Call } from "../client/index.ts";
import type { Condition, Operation, Payload } from "../port/index.ts";
import type { StampRecord } from "./stamps.ts";

/** An entry as a tier gives it. */
export interface Found {
  readonly value: Payload;
}

/** An entry as a tier shows it to those who ask for more than its value. */
export interface Shown extends Found {
  /** In ms since 1970 by the store's clock; absent for never. */
  readonly expiresAt?: number | undefined;
  readonly tags: readonly string[];
}

/** What a load stands on, read before it: its result is kept only while this holds. */
export interface Ground {
  /** When it was read, by `time.monotonic()` and by `time.wall()`. */
  readonly since: number;
  readonly sinceWall: number;
  readonly tags: readonly string[];
  /** The versions of the cache, of its epoch and of the tags. */
  readonly stamps: Stamps;
  /** What the record of each key was. */
  readonly conditions: ReadonlyMap<string, Condition>;
  /** Entries that are there but no longer current, by key. */
  readonly stale: ReadonlyMap<string, Found>;
  /** What was read for tags that were known only after the load: see {@link Tier.extend}. */
  readonly late?: Late | undefined;
}

/**
 * Versions of tags that were read after the load, and what has to be so for them to be as good as those from before.
 */
export interface Late {
  readonly stamps: readonly StampRecord[];
  readonly checks: readonly Operation[];
}

/** Versions by what they are of. */
export interface Stamps {
  /** Changed by `clear`: every entry bears it. */
  readonly cache: StampRecord;
  /** Changed by every invalidation of tags: for tags that are known only after the load. */
  readonly epoch: StampRecord;
  readonly tags: readonly StampRecord[];
}

/** An entry to be written. */
export interface Entry {
  readonly key: string;
  readonly payload: Payload;
}

/** An entry to be written on terms of its own. */
export interface EntryWrite extends Entry {
  /** In ms, `Infinity` for never. */
  readonly ttl: number;
  readonly tags: readonly string[];
}

/**
 * A place where a cache keeps its entries. So far there is one, the store of the backend; one in the process goes in
 * front of it as a tier of its own. Calls end as the client's do; none of them fails open, which is left to the cache.
 */
export interface Tier {
  /** Whether it is in this process: then it gives the same object for an entry as long as that stays. */
  readonly inProcess: boolean;
  /** The entry, if this tier is in the process and it is there. */
  peek(key: string): Found | undefined;
  /** The entry, if it is there and current. At once where the tier can. */
  read(key: string, call: Call): Found | undefined | Promise<Found | undefined>;
  /** Whether there is an entry and it is current. Its value does not travel. */
  has(key: string, call: Call): boolean | Promise<boolean>;
  /** The entry with its end and its tags. */
  show(key: string, call: Call): Promise<Shown | undefined>;
  /** Reads what a load of `keys` must stand on, in one round trip unless a stamp is missing. */
  prepare(keys: readonly string[], tags: readonly string[], call: Call): Promise<Ground>;
  /** The ground of a load whose entries bear `tags`, some of them new; at once where none is. */
  extend(ground: Ground, tags: readonly string[], call: Call): Ground | Promise<Ground>;
  /**
   * Writes what was loaded on `ground`; one outcome an entry: false where a change that came in between has won, also
   * one that was asked for after this call. What is asked for after it finds the entries written.
   */
  keep(ground: Ground, entries: readonly Entry[], ttl: number, call: Call): Promise<readonly Kept[]>;
  /** Writes entries, whatever is there; one outcome an entry. */
  write(entries: readonly EntryWrite[], call: Call): Promise<readonly Kept[]>;
  /**
   * Gives an entry another ttl, in ms, `Infinity` for never; whether there is one. A load that is on its way goes on.
   */
  touch(key: string, ttl: number, call: Call): Promise<boolean>;
  /**
   * Removes an entry, so that no load that is on its way brings it back. Gives what was there; its value travels, and
   * is right, only if it `takes`.
   */
  remove(key: string, takes: boolean, call: Call): Promise<Found | undefined>;
  /** Ends every entry with one of these tags, and what is being loaded with one of them. */
  invalidate(tags: readonly string[], call: Call): Promise<void>;
  /** Ends every entry, and what is being loaded. */
  clear(call: Call): Promise<void>;
}

/** Whether an entry was written, or why that is not known. */
export type Kept = { readonly kept: boolean } | { readonly error: unknown };
