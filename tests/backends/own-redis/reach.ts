import type { Reach, ReachOptions } from "../../../scripts/lib/backends.ts";
import { reachServers } from "../../../scripts/lib/servers/reach.ts";
import { wanted } from "../redis/servers.ts";

/** It runs on one server. */
export async function reach(options: ReachOptions): Promise<Reach[]> {
  const { redis } = wanted;
  const reached = await reachServers({ redis }, { arrangements: { redis: [""] }, faults: [] }, options);
  return reached.map((one) => ({ ...one, backend: "own-redis" }));
}
