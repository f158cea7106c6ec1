/*
 * Who is who. Cache is the handle that users hold: it checks input and tells diagnostics. CacheParts are what the
 * handles of one cache share; CacheCore is their heart: values, counts, events, and how it fails open. Asking and
 * Changing do its work: Asking loads what is missing (a Load is one run of a loader and all who wait for it; Loads
 * knows those under way, Filling brings one to its end, LoadNode finds loaders that wait for each other), Changing
 * sets and ends entries. Both go by CacheCore to a Tier, the place of the entries; so far that is StoreTier alone.
 * StoreTier works with stamps: every entry bears those of its cache and of its tags (StampRecords), and a new one ends
 * what bears the old (Renewals). EntryWriter writes entries with them, Room and ProcessLimit bound what is kept in
 * this process, and Sweeper gives back what was ended and never expires (SweepBook: whose turn it is; SweepPass: one
 * way through). StoreHealth says whether the store is to be asked at all. WritesBehind holds the writes of loads,
 * which no caller waits for.
 */
export { Cache } from "./cache.ts";
export { CacheParts } from "./parts.ts";
export type { CacheEvents, CacheStats, LoadOutcome } from "./events.ts";
export type { Isolate } from "./isolation.ts";
export type { BulkLoadContext, BulkLoader, LateOptions, LoadContext, Loader } from "./loaders.ts";
export type { CacheEntry, CacheOptions, GetOrSetOptions, SetEntry, SetOptions } from "./options.ts";
