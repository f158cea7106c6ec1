import type { EtcdKind } from "../../backends/etcd/servers.ts";
import { sharing } from "../servers/shared.ts";
import { startEtcd, startEtcdCluster, type EtcdCluster, type EtcdServer } from "./server.ts";

/** A leader that stands still for a while, as on a busy machine, goes on leading. */
const steady = ["--heartbeat-interval", "200", "--election-timeout", "2000"];

/** Servers that a test file shares: see {@link sharing}. Their data are in memory: nothing that is tested on them is about disks. */
export const shared = {
  single: sharing<EtcdKind, EtcdServer>((kind) => startEtcd({ kind })),
  cluster: sharing<EtcdKind, EtcdCluster>((kind) => startEtcdCluster({ kind, settings: steady })),
};
