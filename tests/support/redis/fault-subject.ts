import type { ServerKind } from "../../backends/redis/servers.ts";
import type { FaultSubject } from "../faults/place.ts";
import { lacks } from "./kinds.ts";
import { startRedis } from "./server.ts";

/** A kind of Redis, for the tests of faults. */
export function redisFaults(kind: ServerKind): FaultSubject {
  return {
    name: kind,
    skip: lacks(kind),
    isDurable: true,
    fencesOutliveIt: true,
    async start({ flushes }) {
      const server = await startRedis({ kind, appendonly: flushes ? "always" : "everysec" });
      return {
        port: server.port,
        url: (port) => `redis://127.0.0.1:${port}`,
        kill: async () => server.kill(),
        restart: async (options) => server.restart(options),
        stop: async () => server.stop(),
      };
    },
  };
}
