import type { Reach, ReachOptions } from "../../../scripts/lib/backends.ts";
import { reachServers } from "../../../scripts/lib/servers/reach.ts";
import { mysqlFaultKinds } from "../../support/sql/kinds.ts";
import { wanted } from "./servers.ts";

/** Which servers the tests run on. */
export function reach(options: ReachOptions): Promise<Reach[]> {
  return reachServers(wanted, { arrangements: { mariadb: [""], mysql: [""] }, faults: mysqlFaultKinds }, options);
}
