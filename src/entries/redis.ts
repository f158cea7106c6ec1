import { Cache, type CacheOptions } from "../cache/index.ts";
import { Instance } from "../client/index.ts";
import { Lock, type LockOptions } from "../lock/index.ts";
import type { Backend } from "../port/index.ts";
import { StateStore, transactionFactory, type StateStoreOptions, type Transaction } from "../state/index.ts";

export {
  fromIoredis,
  redisBackend as redis,
  type AdaptedClient,
  type RedisOptions,
  type RedisTlsOptions,
} from "../backends/redis/index.ts";

/** A state store in Redis or Valkey, for every machine. All that is made on one backend is one instance. */
export class RedisStateStore<T = unknown> extends StateStore<T> {
  /** No I/O. Throws InvalidArgumentError. */
  constructor(backend: Backend, name: string, options?: StateStoreOptions<T>) {
    super(Instance.shared(backend), name, options);
  }
}

/** A cache in Redis or Valkey, for every machine. All that is made on one backend is one instance. */
export class RedisCache<V = unknown> extends Cache<V> {
  /** No I/O. Throws InvalidArgumentError. */
  constructor(backend: Backend, name: string, options?: CacheOptions) {
    super(Instance.shared(backend), name, options);
  }
}

/**
 * A lock for every machine: nobody else holds it while the primary lives. A failover can leave two holders, of whom the store
 * refuses the first one's guarded writes. All that is made on one backend is one instance.
 */
export class RedisLock extends Lock<Transaction> {
  /** No I/O. Throws InvalidArgumentError. */
  constructor(backend: Backend, name: string, options?: LockOptions<Transaction>) {
    const instance = Instance.shared(backend);
    super(instance, name, { ...options, transactions: transactionFactory(instance) });
  }
}
