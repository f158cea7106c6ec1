import { toMs, type Duration } from "../base/durations.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import { checkService } from "../base/keys.ts";
import type { Backend, BackendDefinition } from "../port/index.ts";

/** Options of `connect`. */
export interface ConnectOptions {
  /**
   * The service that the stores, caches and locks belong to: the same service and name are the same records. At most
   * 256 bytes of UTF-8. Default: `""`.
   */
  readonly service?: string | undefined;
  /** Bounds the requests of each call to the store, unless the call says otherwise. Default: `"5s"`. */
  readonly timeout?: Duration | undefined;
  /** How long `close` waits for running functions before it aborts them; 0 does not wait. Default: `"10s"`. */
  readonly drain?: Duration | undefined;
  /**
   * The store of the caches, if it is another one: a URL or a backend. A server named by a URL here may evict, for it
   * holds caches only. If it cannot be reached within `timeout`, `connect` does not fail: the caches go on without it,
   * and emit `cacheStoreDown` at their first call.
   */
  readonly cache?: string | Backend | undefined;
  /**
   * More backends than those of this package, for URLs: the results of `defineBackend`. They come first. Default: none.
   */
  readonly backends?: readonly BackendDefinition[] | undefined;
}

/** Options of `connect`, resolved. Durations in ms. */
export interface ConnectSettings {
  readonly service: string;
  /** Undefined for the default of an instance. */
  readonly timeout: number | undefined;
  readonly drain: number;
}

/** How long a close waits for running functions by default, in ms. */
export const DEFAULT_DRAIN = 10_000;

export function resolveConnectOptions(options: ConnectOptions = {}): ConnectSettings {
  if (typeof options !== "object" || options === null) throw new InvalidArgumentError("options must be an object");
  return {
    service: checkService(options.service ?? ""),
    timeout: options.timeout === undefined ? undefined : toMs(options.timeout, "timeout"),
    drain: options.drain === undefined ? DEFAULT_DRAIN : toMs(options.drain, "drain", { zero: true }),
  };
}
