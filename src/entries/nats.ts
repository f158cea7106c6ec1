import { natsBackend, type NatsOptions } from "../backends/nats/index.ts";
import { closingShared } from "../holdfast/closing.ts";
import { BackendCache, BackendLock, BackendStateStore } from "../holdfast/on-backend.ts";
import type { Backend } from "../port/index.ts";

export type { NatsOptions, NatsTlsOptions } from "../backends/nats/index.ts";

/**
 * NATS with JetStream, from version 2.9: a key-value bucket. No I/O, and the driver is not loaded before the first
 * call. Throws InvalidArgumentError for options that cannot be.
 *
 * Closing it closes first what was made on it here, as `close` of a `connect` does: running functions may finish for
 * 10 seconds, then they are aborted, and what is held is released.
 */
export function nats(options: NatsOptions): Backend {
  return closingShared(natsBackend(options));
}

/** A state store in NATS, for every machine. All that is made on one backend is one instance. */
export class NatsStateStore<T = unknown> extends BackendStateStore<T> {}

/** A cache in NATS, for every machine. All that is made on one backend is one instance. */
export class NatsCache<V = unknown> extends BackendCache<V> {}

/**
 * A lock for every machine: nobody else holds it while the bucket's server, or a majority of its servers, keeps what it
 * acknowledged, as far as the clocks of the processes agree. All that is made on one backend is one instance.
 */
export class NatsLock extends BackendLock {}
