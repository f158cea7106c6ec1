/*
 * Who is who on LMDB, from the port down:
 *
 *   backend, session   the port. All backends of a process on one directory share its environment
 *   environment        what a process has of a directory: opens it, and joins what follows, to which it is the `site`
 *   reads              groups that only read, and pages: on the caller's thread, each from a fresh snapshot
 *   commits            the queue in front of the commit thread: `batches`, written by `batch-writer` as `wire` says
 *   worker-host        the commit thread, seen from the main thread. In it `worker` runs each batch as one transaction
 *   transaction        what `decide` of `common` sees and changes there; `run-command` is for commands of our own
 *   tables             the databases: records (`layout`), locks (`lock-table`), `floors`, `expiry-index`, `log`, `meta`
 *   signal-hub         reads the log for those who subscribed. `roster` and `peers` wake the processes, by `sockets`
 *   deaths, sweeper    pass on what a dead process held, and remove what has expired
 *   machine-mutex      what opens and commits of all processes are done under. `gate`: no exit falls into a commit
 *   reserve            room in the data file for what a transaction is about to write
 */
export { lmdbBackend, type LmdbOptions } from "./backend.ts";
