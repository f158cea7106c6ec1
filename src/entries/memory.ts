import { memoryBackend, type MemoryOptions } from "../backends/memory/index.ts";
import { Cache, type CacheOptions } from "../cache/index.ts";
import { Instance } from "../client/index.ts";
import { closingShared } from "../holdfast/closing.ts";
import { Lock, type LockOptions } from "../lock/index.ts";
import type { Backend } from "../port/index.ts";
import { StateStore, transactionFactory, type StateStoreOptions, type Transaction } from "../state/index.ts";

export { MemoryServer, type MemoryOptions } from "../backends/memory/index.ts";

/**
 * Everything in the memory of this process: exact, fast, and gone with it. Throws InvalidArgumentError for options that
 * exclude each other.
 *
 * Closing it closes first what was made on it here, as `close` of a `connect` does: running functions may finish for 10
 * seconds, then they are aborted, and what is held is released.
 */
export function memory(options?: MemoryOptions): Backend {
  return closingShared(memoryBackend(options));
}

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
