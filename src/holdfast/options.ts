import { toMs, type Duration } from "../base/durations.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import { checkService } from "../base/keys.ts";
import type { Backend, BackendDefinition } from "../port/index.ts";

/** Options of `connect`. */
export interface ConnectOptions {
  /**
   * Whose stores, caches and locks these are: the same service and name are the same records. At most 256 bytes of
   * UTF-8. Default: `""`.
   */
  readonly service?: string | undefined;
  /** Bounds the requests of each call to the store, unless the call says otherwise. Default: `"5s"`. */
  readonly timeout?: Duration | undefined;
  /** How long `close` waits for running functions before it aborts them; 0 does not wait. Default: `"10s"`. */
  readonly drain?: Duration | undefined;
  /**
   * Where caches are, if not with the rest: a URL or a backend. A server named by a URL may evict: it holds caches
   * only. One that cannot be reached within `timeout` does not fail `connect`: the caches go on without it, which
   * `cacheStoreDown` tells at their first call.
   */
  readonly cache?: string | Backend | undefined;
  /**
   * More backends than those of this package, for URLs: as `defineBackend` gave them. They come before these.
   * Default: none.
   */
  readonly backends?: readonly BackendDefinition[] | undefined;
}

/** Options of `connect`, resolved. Durations in ms. */
export interface ConnectSettings {
  readonly service: string;
  /** Undefined leaves it to the instance. */
  readonly timeout: number | undefined;
  readonly drain: number;
}

/** How long closing waits for running functions unless told otherwise, in ms. */
export const DEFAULT_DRAIN = 10_000;

export function resolveConnectOptions(options: ConnectOptions = {}): ConnectSettings {
  if (typeof options !== "object" || options === null) throw new InvalidArgumentError("options must be an object");
  return {
    service: checkService(options.service ?? ""),
    timeout: options.timeout === undefined ? undefined : toMs(options.timeout, "timeout"),
    drain: options.drain === undefined ? DEFAULT_DRAIN : toMs(options.drain, "drain", { zero: true }),
  };
}
