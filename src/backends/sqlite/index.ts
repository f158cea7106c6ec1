/*
 * Who is who on SQLite. What is the same for every embedded backend is in `machine`, whose `engine.ts` says who is who
 * there; here is what it stands on:
 *
 *   backend, engine    SQLite on a file, as the main thread has it. `thread`: what the commit thread is started with
 *   worker, store      the commit thread, and the connection by which it writes
 *   file               checks the path. `failures`: what to do about an error of the `driver`
 *   schema             the tables; `read-tables` and `write-tables` do with them as `machine` asks, with what `tables`
 *                      has for both, and `texts` for two of them
 *   columns            a record as it is stored. `ranges`: where keys with a prefix end
 *   examine            what can be said of a file to those who run it
 */
export { sqliteBackend, type SqliteOptions } from "./backend.ts";
