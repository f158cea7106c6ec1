import type { EtcdKind } from "../../backends/etcd/servers.ts";
import type { FaultSubject } from "../faults/place.ts";
import { lacks } from "./kinds.ts";
import { startEtcd } from "./server.ts";

/** A kind of etcd, for the tests of faults. */
export function etcdFaults(kind: EtcdKind): FaultSubject {
  return {
    name: kind,
    skip: lacks(kind),
    isDurable: true,
    fencesOutliveIt: true,
    async start({ flushes }) {
      const server = await startEtcd({ kind, flushes });
      return {
        port: server.port,
        url: (port) => `etcd://127.0.0.1:${port}`,
        kill: async () => server.kill(),
        restart: async (options) => server.restart(options),
        stop: async () => server.stop(),
      };
    },
  };
}
