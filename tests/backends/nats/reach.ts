import type { Reach, ReachOptions } from "../../../scripts/lib/backends.ts";
import { reachServers } from "../../../scripts/lib/servers/reach.ts";
import { natsFaultKinds } from "../../support/nats/kinds.ts";
import { wanted } from "./servers.ts";

/** Which servers the tests run on: one, and three that keep each bucket together. */
export function reach(options: ReachOptions): Promise<Reach[]> {
  return reachServers(
    wanted,
    { arrangements: { nats29: [""], nats: ["", "-three"] }, faults: natsFaultKinds },
    options,
  );
}
