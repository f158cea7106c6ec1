import type { EtcdKind } from "../../backends/etcd/servers.ts";
import { placeOn, type FaultSubject } from "../faults/place.ts";
import { lacks } from "./kinds.ts";
import { startEtcd } from "./server.ts";

/** A kind of etcd, for the tests of faults. */
export function etcdFaults(kind: EtcdKind): FaultSubject {
  return {
    name: kind,
    skip: lacks(kind),
    isDurable: true,
    fencesOutliveIt: true,
    start: async ({ flushes }) => placeOn(await startEtcd({ kind, flushes }), (port) => `etcd://127.0.0.1:${port}`),
  };
}
