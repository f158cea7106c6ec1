import type { Reach, ReachOptions } from "../../../scripts/lib/backends.ts";
import { reachServers } from "../../../scripts/lib/servers/reach.ts";
import { etcdFaultKinds } from "../../support/etcd/kinds.ts";
import { wanted } from "./servers.ts";

/** Which servers the tests run on: one of each kind, and a cluster of three. */
export async function reach(options: ReachOptions): Promise<Reach[]> {
  return reachServers(
    wanted,
    { arrangements: { etcd34: [""], etcd35: ["", "-cluster"] }, faults: etcdFaultKinds },
    options,
  );
}
