import { memcachedBackend, type MemcachedOptions } from "../backends/memcached/index.ts";
import { closingShared } from "../holdfast/closing.ts";
import { BackendCache, BackendLock, BackendStateStore } from "../holdfast/on-backend.ts";
import type { Backend } from "../port/index.ts";

export type { MemcachedOptions, MemcachedServer, MemcachedTlsOptions } from "../backends/memcached/index.ts";

/**
 * memcached, from version 1.6.18: one server, or several that share the keys. No I/O. Throws InvalidArgumentError for
 * options that cannot be.
 *
 * Closing it closes first what was made on it here, as `close` of a `connect` does: running functions may finish for
 * 10 seconds, then they are aborted, and what is held is released.
 */
export function memcached(options: MemcachedOptions): Backend {
  return closingShared(memcachedBackend(options));
}

/**
 * A state store in memcached, for every machine, for what may be lost: a server forgets what it was not asked for
 * longest, and all when it is started anew. All that is made on one backend is one instance.
 */
export class MemcachedStateStore<T = unknown> extends BackendStateStore<T> {}

/** A cache in memcached, for every machine. All that is made on one backend is one instance. */
export class MemcachedCache<V = unknown> extends BackendCache<V> {}

/**
 * A lock for every machine, as good as can be had there: it is advisory. While the server runs and evicts nothing, one
 * holds it; a lock that was forgotten is granted again, to a second holder. All that is made on one backend is one
 * instance.
 */
export class MemcachedLock extends BackendLock {}
