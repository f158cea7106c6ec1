/*
 * Who is who on LMDB. What is the same for every embedded backend is in `machine`, whose `engine.ts` says who is who
 * there; here is what it stands on:
 *
 *   backend, engine    LMDB on a directory, as the main thread has it. `thread`: what the commit thread is started with
 *   worker             the commit thread. `gate`: no exit of the process falls into a commit
 *   directory          makes or checks the directory. `failures`: what to do about an error of the `driver`
 *   databases          opens the databases of a directory; `tables` reads and writes them as `machine` asks for it
 *   expiry-index       what is to be looked at when. `floors`: fences that are kept beside records
 *   machine-mutex      what opens and commits of all processes are done under
 *   reserve            room in the data file for what a transaction is about to write
 *   examine            what can be said of a directory to those who run it
 */
export { lmdbBackend, type LmdbOptions } from "./backend.ts";
