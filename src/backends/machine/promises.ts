import type { Capabilities } from "../../port/index.ts";
import type { Limits } from "../common/failures.ts";

/** Most keys in a group, for one transaction holds others up, and the largest value in bytes. */
export const limits: Omit<Limits, "backend"> = { maxGroup: 256, maxValue: 16 * 1024 * 1024 };

/** What files promise that every process of a machine writes to, one durable transaction at a time. */
export const capabilities: Capabilities = {
  exclusion: "exact",
  fence: "durable",
  guard: "atomic",
  reads: "linearizable",
  transact: "full",
  durability: "disk",
  clock: "machine",
  ttlGranularity: 1,
  maxValue: limits.maxValue,
  push: true,
  watch: "log",
  list: true,
  batchRoundTrips: 1,
  shared: "machine",
  stamps: "atomic",
  maxGroup: limits.maxGroup,
};
