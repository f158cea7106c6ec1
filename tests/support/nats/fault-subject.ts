import type { NatsKind } from "../../backends/nats/servers.ts";
import { placeOn, type FaultSubject } from "../faults/place.ts";
import { lacks } from "./kinds.ts";
import { natsUrl, startNats } from "./server.ts";

/** A kind of NATS, for the tests of faults. */
export function natsFaults(kind: NatsKind): FaultSubject {
  return {
    name: kind,
    skip: lacks(kind),
    isDurable: true,
    fencesOutliveIt: true,
    start: async ({ flushes }) => placeOn(await startNats({ kind, flushes }), natsUrl),
  };
}
