import type { NatsKind } from "../../backends/nats/servers.ts";
import type { FaultSubject } from "../faults/place.ts";
import { lacks } from "./kinds.ts";
import { natsUrl, startNats } from "./server.ts";

/** A kind of NATS, for the tests of faults. */
export function natsFaults(kind: NatsKind): FaultSubject {
  return {
    name: kind,
    skip: lacks(kind),
    isDurable: true,
    fencesOutliveIt: true,
    async start({ flushes }) {
      const server = await startNats({ kind, flushes });
      return {
        port: server.port,
        url: natsUrl,
        kill: async () => server.kill(),
        restart: async (options) => server.restart(options),
        stop: async () => server.stop(),
      };
    },
  };
}
