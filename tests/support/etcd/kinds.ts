import { findServer, type EtcdKind } from "../../backends/etcd/servers.ts";
import { faulted } from "../faults/kinds.ts";

/** Why tests on a kind of server are skipped; false where they run. */
export const lacks = (kind: EtcdKind): string | false => (findServer(kind) ? false : `${kind} is not there`);

/** What takes long is tested with the oldest. */
export const etcdFaultKinds = faulted<EtcdKind>(["etcd34"], ["etcd35"]);
