import { postgresBackend, type PostgresOptions } from "../backends/postgres/index.ts";
import { closingShared } from "../holdfast/closing.ts";
import { BackendCache, BackendLock, BackendStateStore } from "../holdfast/on-backend.ts";
import type { Backend } from "../port/index.ts";

export type { PostgresOptions, PostgresTlsOptions } from "../backends/postgres/index.ts";

/**
 * Postgres, from version 12. No I/O, and the driver is not loaded before the first call. Throws InvalidArgumentError
 * for options that cannot be.
 *
 * Closing it closes first what was made on it here, as `close` of a `connect` does: running functions may finish for
 * 10 seconds, then they are aborted, and what is held is released.
 */
export function postgres(options: PostgresOptions): Backend {
  return closingShared(postgresBackend(options));
}

/** A state store in Postgres, for every machine. All that is made on one backend is one instance. */
export class PostgresStateStore<T = unknown> extends BackendStateStore<T> {}

/** A cache in Postgres, for every machine. All that is made on one backend is one instance. */
export class PostgresCache<V = unknown> extends BackendCache<V> {}

/**
 * A lock for every machine: nobody else holds it while the primary lives. A failover to a server that lacks the last
 * commits can leave two holders, of whom the store refuses the first one's guarded writes. All that is made on one
 * backend is one instance.
 */
export class PostgresLock extends BackendLock {}
