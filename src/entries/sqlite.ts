import { sqliteBackend, type SqliteOptions } from "../backends/sqlite/index.ts";
import { closingShared } from "../holdfast/closing.ts";
import { BackendCache, BackendLock, BackendStateStore } from "../holdfast/on-backend.ts";
import type { Backend } from "../port/index.ts";

export type { SqliteOptions } from "../backends/sqlite/index.ts";

/**
 * An embedded backend: a file of SQLite on a local disk, shared by every process of the machine, also by those in
 * containers. No I/O, and the driver is not loaded before the first call. Throws InvalidArgumentError for options that
 * cannot be.
 *
 * Closing it closes first what was made on it here, as `close` of a `connect` does: running functions may finish for 10
 * seconds, then they are aborted, and what is held is released.
 */
export function sqlite(options: SqliteOptions): Backend {
  return closingShared(sqliteBackend(options));
}

/** A state store in a file, for every process of this machine. All that is made on one backend is one instance. */
export class SqliteStateStore<T = unknown> extends BackendStateStore<T> {}

/** A cache in a file, for every process of this machine. All that is made on one backend is one instance. */
export class SqliteCache<V = unknown> extends BackendCache<V> {}

/** A lock for every process of this machine, exact among them. All that is made on one backend is one instance. */
export class SqliteLock extends BackendLock {}
