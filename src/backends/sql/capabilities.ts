import type { Capabilities } from "../../port/index.ts";
import { maxGroup, maxValue } from "./session.ts";

/** What all servers of SQL promise that keep what they have committed. */
export const sqlCapabilities: Omit<Capabilities, "push" | "watch"> = {
  exclusion: "primary",
  fence: "durable",
  guard: "atomic",
  reads: "primary",
  within: true,
  transact: "full",
  durability: "disk",
  clock: "server",
  ttlGranularity: 1,
  maxValue,
  list: true,
  batchRoundTrips: 2,
  shared: "network",
  stamps: "atomic",
  maxGroup,
};
