import { memoryBackend, type MemoryOptions } from "../backends/memory/index.ts";
import { closingShared } from "../holdfast/closing.ts";
import { BackendCache, BackendLock, BackendStateStore } from "../holdfast/on-backend.ts";
import type { Backend } from "../port/index.ts";

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
export class MemoryStateStore<T = unknown> extends BackendStateStore<T> {}

/** A cache in the memory of this process. All that is made on one backend is one instance. */
export class MemoryCache<V = unknown> extends BackendCache<V> {}

/** A lock in the memory of this process. All that is made on one backend is one instance. */
export class MemoryLock extends BackendLock {}
