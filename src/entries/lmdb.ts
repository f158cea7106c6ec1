import { Cache, type CacheOptions } from "../cache/index.ts";
import { Instance } from "../client/index.ts";
import { Lock, type LockOptions } from "../lock/index.ts";
import type { Backend } from "../port/index.ts";
import { StateStore, transactionFactory, type StateStoreOptions, type Transaction } from "../state/index.ts";

export { lmdbBackend as lmdb, type LmdbOptions } from "../backends/lmdb/index.ts";

/** A state store in a directory, for every process of this machine. All that is made on one backend is one instance. */
export class LmdbStateStore<T = unknown> extends StateStore<T> {
  /** No I/O. Throws InvalidArgumentError. */
  constructor(backend: Backend, name: string, options?: StateStoreOptions<T>) {
    super(Instance.shared(backend), name, options);
  }
}

/** A cache in a directory, for every process of this machine. All that is made on one backend is one instance. */
export class LmdbCache<V = unknown> extends Cache<V> {
  /** No I/O. Throws InvalidArgumentError. */
  constructor(backend: Backend, name: string, options?: CacheOptions) {
    super(Instance.shared(backend), name, options);
  }
}

/** A lock for every process of this machine, exact among them. All that is made on one backend is one instance. */
export class LmdbLock extends Lock<Transaction> {
  /** No I/O. Throws InvalidArgumentError. */
  constructor(backend: Backend, name: string, options?: LockOptions<Transaction>) {
    const instance = Instance.shared(backend);
    super(instance, name, { ...options, transactions: transactionFactory(instance) });
  }
}
