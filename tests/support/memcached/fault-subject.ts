import type { MemcachedKind } from "../../backends/memcached/servers.ts";
import type { FaultSubject } from "../faults/place.ts";
import { lacks, memcachedUrl, startMemcached } from "./server.ts";

/** memcached with fences beside its records, for the tests of faults. Whatever ends it, it starts again with nothing. */
export function memcachedFaults(kind: MemcachedKind): FaultSubject {
  return {
    name: kind,
    skip: lacks(kind),
    isDurable: false,
    fencesOutliveIt: false,
    async start() {
      const server = await startMemcached({ kind });
      return {
        port: server.port,
        url: fencedUrl,
        kill: async () => server.kill(),
        restart: async () => server.restart(),
        stop: async () => server.stop(),
      };
    },
  };
}

export const fencedUrl = (...ports: readonly number[]): string => `${memcachedUrl(...ports)}?guard=floor`;
