import { Cache, type CacheOptions } from "../cache/index.ts";
import { Instance } from "../client/index.ts";
import { Lock, type LockOptions } from "../lock/index.ts";
import type { Backend } from "../port/index.ts";
import { StateStore, transactionFactory, type StateStoreOptions, type Transaction } from "../state/index.ts";

/** A state store on a backend that was made once. All that is made on one backend is one instance. */
export class BackendStateStore<T = unknown> extends StateStore<T> {
  /** No I/O. Throws InvalidArgumentError. */
  constructor(backend: Backend, name: string, options?: StateStoreOptions<T>) {
    super(Instance.shared(backend), name, options);
  }
}

/** A cache on a backend that was made once. All that is made on one backend is one instance. */
export class BackendCache<V = unknown> extends Cache<V> {
  /** No I/O. Throws InvalidArgumentError. */
  constructor(backend: Backend, name: string, options?: CacheOptions) {
    super(Instance.shared(backend), name, options);
  }
}

/** A lock on a backend that was made once. All that is made on one backend is one instance. */
export class BackendLock extends Lock<Transaction> {
  /** No I/O. Throws InvalidArgumentError. */
  constructor(backend: Backend, name: string, options?: LockOptions<Transaction>) {
    const instance = Instance.shared(backend);
    super(instance, name, { ...options, transactions: transactionFactory(instance) });
  }
}
