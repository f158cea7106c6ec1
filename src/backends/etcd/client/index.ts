/*
 * A client for gRPC as etcd speaks it, on Node's HTTP/2. It knows nothing of what is stored. Who is who, from the
 * caller down:
 *
 *   servers      the members of a cluster: which one is asked, when again, and as which user
 *   connection   an open connection to one of them: calls, streams, and whether it lives
 *   messages     what of etcd's API is used, to bytes and back
 */
export { CallError, Connection, type Method } from "./connection.ts";
export { decode, encode, type Message } from "./messages.ts";
export { Servers } from "./servers.ts";
