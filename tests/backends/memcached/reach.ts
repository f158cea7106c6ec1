import type { Reach, ReachOptions } from "../../../scripts/lib/backends.ts";
import { reachServers } from "../../../scripts/lib/servers/reach.ts";
import { faultKinds } from "../../support/memcached/server.ts";
import { wanted } from "./servers.ts";

/** Which servers the tests run on: one, and three that share the keys. */
export function reach(options: ReachOptions): Promise<Reach[]> {
  const arrangements = { memcached16: ["", "-three"], memcached: ["", "-three"] };
  return reachServers(wanted, { arrangements, faults: faultKinds }, options);
}
