import { systemTime } from "../../base/time.ts";
import type { Backend } from "../../port/index.ts";
import { storeBackend } from "../store/index.ts";
import { BACKEND } from "./client/index.ts";
import { resolveOptions, type MemcachedOptions } from "./options.ts";
import { MemcachedStore } from "./store.ts";

/*
 * `store.ts` has the cells of `backends/store` as items, `examine.ts` what `holdfast doctor` says, `options.ts` and
 * `url.ts` what is asked for. `client/` speaks with the servers.
 */
export type { MemcachedOptions } from "./options.ts";
export type { MemcachedServer, MemcachedTlsOptions } from "./client/index.ts";

/** memcached, from version 1.6.18. No I/O. Throws InvalidArgumentError for options that cannot be. */
export function memcachedBackend(options: MemcachedOptions): Backend {
  return storeBackend({ name: BACKEND, store: new MemcachedStore(resolveOptions(options), systemTime) });
}
