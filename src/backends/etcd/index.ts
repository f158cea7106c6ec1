/*
 * etcd, by a `Store` for the engine of `backends/store`. Who is who:
 *
 *   definition   what is known of it before it is loaded; `options` and `url`: how it is reached
 *   store        cells as keys of etcd, and their transactions
 *   leases       what removes cells that have ended
 *   watching     the changes of a range of keys, without a gap where that is possible
 *   examine      what a cluster is and how it is set
 *   client       gRPC to the members of a cluster
 */
import type { Backend } from "../../port/index.ts";
import { storeBackend } from "../store/index.ts";
import { resolveOptions, type EtcdOptions } from "./options.ts";
import { EtcdStore } from "./store.ts";

export type { EtcdOptions } from "./options.ts";

/** etcd, from version 3.4. No I/O. Throws InvalidArgumentError for options that cannot be. */
export function etcdBackend(options: EtcdOptions): Backend {
  return storeBackend({ name: "etcd", store: new EtcdStore(resolveOptions(options)) });
}
