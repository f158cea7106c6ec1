/*
 * A backend on anything that can compare and set. Who is who, from the port down:
 *
 *   backend      the port: sessions; what is refused (`refusal`) and promised (`promises`); `pages`; `signal-hub`
 *   call         the groups of one `execute`, each a task that ends by its outcome or its deadline
 *   engines      one for each of the servers that a store is spread over: a slow one is nobody else's
 *   engine       takes tasks up (`marks`: no two that change one cell at once), reads, decides, commits, tries again
 *   commits      sends what was decided, and finds out what became of it
 *   attempt      tasks that are decided together, by `decide` of `common` on a `cell-view`
 *   cell-view    cells at one moment as records and locks, and the transaction that makes of them what was decided
 *   content      what is in a cell
 *   observed-locks  locks of a server that has no clock: ended when they were seen for as long as they last
 *   known        what this process wrote last, and where it found nothing: tried first
 *   store-clock  what is known of the clock that ends leases
 *   requests     the requests that are open: bounded, each with an end
 *   checked      a clear error where a store does not answer as it must
 *   store        the small port below: what a server must do
 */
export { storeBackend, type StoreBackendOptions } from "./backend.ts";
export { StoreError } from "./store-error.ts";
