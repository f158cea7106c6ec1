import { nullBackend as makeBackend } from "../backends/null/index.ts";
import type { Time } from "../base/time.ts";
import { closingShared } from "../holdfast/closing.ts";
import { BackendCache, BackendLock, BackendStateStore } from "../holdfast/on-backend.ts";
import type { Backend } from "../port/index.ts";

/**
 * Keeps nothing and grants every lock: to switch a state store, a cache or a lock off. A write succeeds, a read finds
 * nothing, `{ absent: true }` always holds and a version never does. Grants rise, so fences do too.
 *
 * Closing it closes first what was made on it here, as `close` of a `connect` does: running functions may finish for
 * 10 seconds, then they are aborted, and what is held is released.
 */
export function nullBackend(options?: { readonly time?: Time | undefined }): Backend {
  return closingShared(makeBackend(options));
}

/** A state store that accepts every write and keeps nothing. All that is made on one backend is one instance. */
export class NullStateStore<T = unknown> extends BackendStateStore<T> {}

/** A cache that keeps nothing: every load runs. All that is made on one backend is one instance. */
export class NullCache<V = unknown> extends BackendCache<V> {}

/** A lock that is granted to everybody. All that is made on one backend is one instance. */
export class NullLock extends BackendLock {}
