/*
 * Who is who in Memory, from the port down:
 *
 *   backend    the port: backends are clients of a server, sessions their instances
 *   server     the data: runs a group at one `instant`, by `decide` of `common` on its `view`
 *   view       the tables as `decide` sees and changes them: `records`, `floors` and `locks`, each a `table`
 *   pages      listings, in the order in which records were made
 *   limits     what Memory promises
 *
 * What expires is visited by a due queue for each table; signals go by a bus. Both are of `common`.
 */
export { memoryBackend, type MemoryOptions } from "./backend.ts";
export { MemoryServer } from "./server.ts";
