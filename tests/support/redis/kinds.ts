import { findServer, wanted, type ServerKind } from "../../backends/redis/servers.ts";
import { faulted } from "../faults/kinds.ts";

/** Why tests on a kind of server are skipped; false where they run. */
export const lacks = (kind: ServerKind): string | false => (findServer(kind) ? false : `${kind} is not there`);

const all = Object.keys(wanted) as ServerKind[];
// Dragonfly has neither Redis' settings nor its log of writes: what is tested of it is the conformance, and that `holdfast doctor` knows it.
const onPath = all.filter((kind) => wanted[kind].debian === undefined && kind !== "dragonfly" && findServer(kind));

/** What is tested with each kind: those that the tests fetch, and of the others those that are there. */
export const everyKind: readonly ServerKind[] = ["redis", "redis8", "valkey", ...onPath];

/** What the tests of faults run on: the oldest Redis that can be fetched, and Valkey; see {@link faulted}. */
export const faultKinds = faulted<ServerKind>(["redis", "valkey"], onPath);
/** Of these, where they take long, one each: what becomes of one server on Redis, of several that replicate on Valkey. */
export const aloneKinds = faulted<ServerKind>(["redis"], ["valkey", ...onPath]);
export const groupKinds = faulted<ServerKind>(["valkey"], ["redis", ...onPath]);
