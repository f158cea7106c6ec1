import { findServer, type NatsKind } from "../../backends/nats/servers.ts";
import { faulted } from "../faults/kinds.ts";

/** What the tests of faults run on: see {@link faulted}. */
export const natsFaultKinds = faulted<NatsKind>(["nats"], ["nats29"]);

/** Kinds of which three are killed and left without a leader, which takes two minutes. */
export const natsFaultClusters = faulted<NatsKind>([], ["nats"]);

/** Why tests on a kind of server are skipped; false where they run. */
export function lacks(kind: NatsKind): string | false {
  return findServer(kind) ? false : `${kind} is not there`;
}
