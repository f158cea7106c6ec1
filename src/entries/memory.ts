import { Cache, type CacheOptions } from "../cache/index.ts";
import { Instance } from "../client/index.ts";
import { Lock, type LockOptions } from "../lock/index.ts";
import type { Backend } from "../port/index.ts";
import { StateStore, transactionFactory, type StateStoreOptions, type Transaction } from "../state/index.ts";

export { memoryBackend as memory, MemoryServer, type MemoryOptions } from "../backends/memory/index.ts";

/** A state store in the memory of this process. All that is made on one backend is one instance. */
export class MemoryStateStore<T = unknown> extends StateStore<T> {
  /** No I/O. Throws InvalidArgumentError. */
  constructor(backend: Backend, name: string, options?: StateStoreOptions<T>) {
    super(Instance.shared(backend), name, options);
  }
}

/** A cache in the memory of this process. All that is made on one backend is one instance. */
export class MemoryCache<V = unknown> extends Cache<V> {
  /** No I/O. Throws InvalidArgumentError. */
  constructor(backend: Backend, name: string, options?: CacheOptions) {
    super(Instance.shared(backend), name, options);
  }
}

/** A lock in the memory of this process. All that is made on one backend is one instance. */
export class MemoryLock extends Lock<Transaction> {
  /** No I/O. Throws InvalidArgumentError. */
  constructor(backend: Backend, name: string, options?: LockOptions<Transaction>) {
    const instance = Instance.shared(backend);
    super(instance, name, { ...options, transactions: transactionFactory(instance) });
  }
}
