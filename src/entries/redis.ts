import { redisBackend, type RedisOptions } from "../backends/redis/index.ts";
import { closingShared } from "../holdfast/closing.ts";
import { BackendCache, BackendLock, BackendStateStore } from "../holdfast/on-backend.ts";
import type { Backend } from "../port/index.ts";

export { fromIoredis, type AdaptedClient, type RedisOptions, type RedisTlsOptions } from "../backends/redis/index.ts";

/**
 * Redis, Valkey and what speaks as they do: alone, with Sentinel, or as a cluster. No I/O, and the driver is not
 * loaded before the first call. Throws InvalidArgumentError for options that cannot be.
 *
 * Closing it closes first what was made on it here, as `close` of a `connect` does: running functions may finish for
 * 10 seconds, then they are aborted, and what is held is released.
 */
export function redis(options: RedisOptions): Backend {
  return closingShared(redisBackend(options));
}

/** A state store in Redis or Valkey, for every machine. All that is made on one backend is one instance. */
export class RedisStateStore<T = unknown> extends BackendStateStore<T> {}

/** A cache in Redis or Valkey, for every machine. All that is made on one backend is one instance. */
export class RedisCache<V = unknown> extends BackendCache<V> {}

/**
 * A lock for every machine: nobody else holds it while the primary lives. A failover can leave two holders, of whom
 * the store refuses the first one's guarded writes. All that is made on one backend is one instance.
 */
export class RedisLock extends BackendLock {}
