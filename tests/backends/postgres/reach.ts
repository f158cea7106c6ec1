import type { Reach, ReachOptions } from "../../../scripts/lib/backends.ts";
import { reachServers } from "../../../scripts/lib/servers/reach.ts";
import { postgresFaultKinds } from "../../support/sql/kinds.ts";
import { wanted } from "./servers.ts";

/** Which servers the tests run on. Each PgBouncer stands in front of the oldest Postgres. */
export async function reach(options: ReachOptions): Promise<Reach[]> {
  const arrangements = { postgres15: [""], postgres18: [""], pgbouncer118: [""], pgbouncer126: [""] };
  const reached = await reachServers(wanted, { arrangements, faults: postgresFaultKinds }, options);
  const behind = reached.find(({ backend }) => backend === "postgres15")?.missing;
  return reached.map((one) => {
    const isAlone = one.backend.startsWith("pgbouncer") && one.missing === undefined && behind !== undefined;
    return isAlone ? { ...one, missing: `there is no Postgres behind it: ${behind}` } : one;
  });
}
