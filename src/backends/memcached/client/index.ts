/*
 * A client for memcached's meta protocol, which knows nothing of what is stored. Who is who, from the caller down:
 *
 *   client    get, set, delete, count (`calls`): what is sent for them. `answers`: what the replies mean.
 *             `recaching`: one caller of all makes a value anew
 *   options   checked. `keys`: any text as a key of the protocol. `ring`: which server has a key
 *   server    one server: a connection that is made anew, by an `attempt`; ejected while it cannot be reached
 *   link      an open connection: replies in order, each to its own request (`asked`) or to nobody. `outbox`: one
 *             write a turn
 *   parser    cuts what comes into replies
 */
export { MetaClient, mostValueOf } from "./client.ts";
export { BACKEND } from "./attempt.ts";
export type { ServerFacts } from "./link.ts";
export type { MemcachedServer, MemcachedTlsOptions, MetaClientOptions } from "./options.ts";
export { nameOf } from "./ring.ts";
export type { ServerConnection } from "./server.ts";
