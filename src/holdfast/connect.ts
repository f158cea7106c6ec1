import type { Backend } from "../port/index.ts";
import type { Holdfast } from "./holdfast.ts";
import type { ConnectOptions } from "./options.ts";

/**
 * Connects to where state, caches and locks are kept, by a URL or by a backend that you made. Resolves when it was reached.
 *
 * `file:./dir` (LMDB: every process of this machine), `memory:` (this process, fresh for each connect), `memory:name` (the
 * same for all who name it in this process), `null:` (keeps nothing, grants every lock), `redis://`, `rediss://`,
 * `redis+cluster://a,b,c`, `redis+sentinel://a,b,c/master` and the same with `valkey` (every machine).
 *
 * Rejects with InvalidArgumentError for a URL or an option that is not valid, UnsupportedError for a backend that this version
 * has not, whose driver is missing or whose settings break what is promised, UnavailableError if it could not be reached within `timeout` (a store of caches alone may be away). `close()` closes what was
 * connected by a URL; a backend that you made is yours to close.
 */
export async function connect(target: string | Backend, options?: ConnectOptions): Promise<Holdfast> {
  // Loaded when it is first used, so that importing the package costs next to nothing.
  const { reachHoldfast } = await import("./reach.ts");
  return reachHoldfast(target, options);
}
