import type { Reach, ReachOptions } from "../../../scripts/lib/backends.ts";
import { reachServers } from "../../../scripts/lib/servers/reach.ts";
import { wanted } from "./servers.ts";

/** Which servers the tests run on. */
export function reach(options: ReachOptions): Promise<Reach[]> {
  return reachServers(wanted, { postgres15: [""], postgres18: [""], pgbouncer118: [], pgbouncer126: [] }, options);
}
