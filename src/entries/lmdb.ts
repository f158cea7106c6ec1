import { lmdbBackend, type LmdbOptions } from "../backends/lmdb/index.ts";
import { closingShared } from "../holdfast/closing.ts";
import { BackendCache, BackendLock, BackendStateStore } from "../holdfast/on-backend.ts";
import type { Backend } from "../port/index.ts";

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
export class LmdbStateStore<T = unknown> extends BackendStateStore<T> {}

/** A cache in a directory, for every process of this machine. All that is made on one backend is one instance. */
export class LmdbCache<V = unknown> extends BackendCache<V> {}

/** A lock for every process of this machine, exact among them. All that is made on one backend is one instance. */
export class LmdbLock extends BackendLock {}
