import type { Capabilities } from "../../port/index.ts";
import { limits } from "./outcomes.ts";
import type { Topology } from "./router.ts";
import type { ServerTraits } from "./settings/index.ts";

/** What the backend promises on servers so arranged, whose settings leave so much; `watches`: they tell of changes. */
export function capabilitiesOf(
  topology: Topology,
  { exclusion, durability, stamps }: ServerTraits["promises"],
  watches: boolean,
): Capabilities {
  const isCluster = topology === "cluster";
  const isApart = isCluster || stamps === "apart";
  return {
    exclusion,
    fence: "clock",
    guard: "atomic",
    reads: "primary",
    transact: isCluster ? "slot" : "full",
    durability,
    clock: "server",
    ttlGranularity: 1,
    maxValue: limits.maxValue,
    push: true,
    watch: watches ? "lossy" : "none",
    list: true,
    batchRoundTrips: isApart ? 2 : 1,
    shared: "network",
    stamps: isApart ? "apart" : "atomic",
    maxGroup: limits.maxGroup,
  };
}
