import type { Backend } from "../port/index.ts";
import type { Holdfast } from "./holdfast.ts";
import type { ConnectOptions } from "./options.ts";

/**
 * Connects to where state, caches and locks are kept, by a URL or by a backend that you made. Resolves when it was
 * reached.
 *
 * A URL is of a backend of this package, such as `file:./dir` (every process of this machine), `memory:` (this
 * process, fresh for each connect), `memory:name` (the same for all who name it in this process) or a server's (every
 * machine), or of one in `backends`. An unknown scheme is refused with the list of those that are known.
 *
 * Rejects with InvalidArgumentError for a URL or an option that is not valid, UnsupportedError for a backend whose
 * driver is missing or whose settings break what is promised, UnavailableError if it could not be reached within
 * `timeout` (a store of caches alone may be away). `close()` closes what was connected by a URL; a backend that you
 * made is yours to close.
 */
export async function connect(target: string | Backend, options?: ConnectOptions): Promise<Holdfast> {
  // Loaded when it is first used, so that importing the package costs next to nothing.
  const { reachHoldfast } = await import("./reach.ts");
  return reachHoldfast(target, options);
}
