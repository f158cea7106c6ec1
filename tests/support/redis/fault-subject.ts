import type { ServerKind } from "../../backends/redis/servers.ts";
import { placeOn, type FaultSubject } from "../faults/place.ts";
import { lacks } from "./kinds.ts";
import { startRedis } from "./server.ts";

/** A kind of Redis, for the tests of faults. */
export function redisFaults(kind: ServerKind): FaultSubject {
  return {
    name: kind,
    skip: lacks(kind),
    isDurable: true,
    fencesOutliveIt: true,
    start: async ({ flushes }) =>
      placeOn(
        await startRedis({ kind, appendonly: flushes ? "always" : "everysec" }),
        (port) => `redis://127.0.0.1:${port}`,
      ),
  };
}
