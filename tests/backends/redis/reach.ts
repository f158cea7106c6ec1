import type { Reach, ReachOptions } from "../../../scripts/lib/backends.ts";
import { reachServers } from "../../../scripts/lib/servers/reach.ts";
import { faultKinds } from "../../support/redis/kinds.ts";
import { wanted } from "./servers.ts";

const all = ["", "-sentinel", "-cluster"];

/** Which servers the tests run on, and in which arrangements. */
export function reach(options: ReachOptions): Promise<Reach[]> {
  const arrangements = { redis: all, redis8: [""], valkey: all, redis6: all, keydb: all, dragonfly: [""] };
  return reachServers(wanted, { arrangements, faults: faultKinds }, options);
}
