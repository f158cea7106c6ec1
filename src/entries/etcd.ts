import { etcdBackend, type EtcdOptions } from "../backends/etcd/index.ts";
import { closingShared } from "../holdfast/closing.ts";
import { BackendCache, BackendLock, BackendStateStore } from "../holdfast/on-backend.ts";
import type { Backend } from "../port/index.ts";

export type { EtcdOptions } from "../backends/etcd/index.ts";

/**
 * etcd, from version 3.4. No I/O before the first call. Throws InvalidArgumentError for options that cannot be.
 *
 * Closing it closes first what was made on it here, as `close` of a `connect` does: running functions may finish for
 * 10 seconds, then they are aborted, and what is held is released.
 */
export function etcd(options: EtcdOptions): Backend {
  return closingShared(etcdBackend(options));
}

/** A state store in etcd, for every machine. All that is made on one backend is one instance. */
export class EtcdStateStore<T = unknown> extends BackendStateStore<T> {}

/** A cache in etcd, for every machine. All that is made on one backend is one instance. */
export class EtcdCache<V = unknown> extends BackendCache<V> {}

/**
 * A lock for every machine that nobody else holds, whatever members of the cluster are lost. All that is made on one
 * backend is one instance.
 */
export class EtcdLock extends BackendLock {}
