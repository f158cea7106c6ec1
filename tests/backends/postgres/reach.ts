import type { Reach, ReachOptions } from "../../../scripts/lib/backends.ts";
import { reachServers } from "../../../scripts/lib/servers/reach.ts";
import { postgresFaultKinds } from "../../support/sql/kinds.ts";
import { wanted } from "./servers.ts";

/** Which servers the tests run on; a PgBouncer stands in front of the first of them. */
export async function reach(options: ReachOptions): Promise<Reach[]> {
  const arrangements = { postgres15: [""], postgres18: [""], pgbouncer118: [""], pgbouncer126: [""] };
  return reachServers(wanted, { arrangements, faults: postgresFaultKinds }, options);
}
