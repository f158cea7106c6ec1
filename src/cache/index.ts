export { Cache } from "./cache.ts";
export type { CacheEvents, CacheStats, LoadOutcome } from "./events.ts";
export type { Isolate } from "./isolation.ts";
export type { BulkLoadContext, BulkLoader, LateOptions, LoadContext, Loader } from "./loaders.ts";
export type { CacheOptions, GetOrSetOptions, SetOptions } from "./options.ts";
