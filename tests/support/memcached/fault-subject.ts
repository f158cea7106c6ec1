import type { MemcachedKind } from "../../backends/memcached/servers.ts";
import { placeOn, type FaultSubject } from "../faults/place.ts";
import { lacks, memcachedUrl, startMemcached } from "./server.ts";

/** memcached with fences beside its records, for the tests of faults. Whatever ends it, it starts again with nothing. */
export function memcachedFaults(kind: MemcachedKind): FaultSubject {
  return {
    name: kind,
    skip: lacks(kind),
    isDurable: false,
    fencesOutliveIt: false,
    start: async () => placeOn(await startMemcached({ kind }), fencedUrl),
  };
}

export const fencedUrl = (...ports: readonly number[]): string => `${memcachedUrl(...ports)}?guard=floor`;
