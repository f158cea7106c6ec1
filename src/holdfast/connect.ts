import type { Backend } from "../port/index.ts";
import type { Holdfast } from "./holdfast.ts";
import type { ConnectOptions } from "./options.ts";

/**
 * Connects to the store of state, caches and locks, by a URL or by a backend that you made. Resolves when the store was
 * reached.
 *
 * A URL means a backend of this package, such as `file:./dir` (for every process of this machine), `memory:` (for this
 * process, fresh at each connect), `memory:name` (shared by name in this process) or a server's (for every machine), or
 * one of `backends`. An unknown scheme is refused with the list of the known ones.
 *
 * Rejects with InvalidArgumentError for a URL or an option that is not valid, UnsupportedError for a backend whose
 * driver is missing or whose settings break its promises, UnavailableError if the store could not be reached within
 * `timeout` (a store of caches alone may be away). `close()` closes the backend of a URL. A backend that you made is
 * yours to close.
 */
export async function connect(target: string | Backend, options?: ConnectOptions): Promise<Holdfast> {
  // Loaded on first use, so that importing the package costs next to nothing.
  const { reachHoldfast } = await import("./reach.ts");
  return reachHoldfast(target, options);
}
