import { lmdbBackend, type LmdbOptions } from "../backends/lmdb/index.ts";
import { Cache, type CacheOptions } from "../cache/index.ts";
import { Instance } from "../client/index.ts";
import { closingShared } from "../holdfast/closing.ts";
import { Lock, type LockOptions } from "../lock/index.ts";
import type { Backend } from "../port/index.ts";
import { StateStore, transactionFactory, type StateStoreOptions, type Transaction } from "../state/index.ts";

export type { LmdbOptions } from "../backends/lmdb/index.ts";

/**
 * The embedded backend: a directory on a local disk, shared by every process of the machine.
 *
 * Closing it closes first what was made on it here, as `close` of a `connect` does: running functions may finish for 10
 * seconds, then they are aborted, and what is held is released.
 */
export function lmdb(options: LmdbOptions): Backend {
  return closingShared(lmdbBackend(options));
}

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
