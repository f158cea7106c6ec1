import type { Capabilities } from "../../port/index.ts";
import type { Limits } from "../common/failures.ts";

export const limits: Limits = { backend: "memory", maxGroup: 4_096, maxValue: 64 * 1024 * 1024 };

/** What Memory promises: everything, for as long as the process lives. */
export const capabilities: Capabilities = {
  exclusion: "exact",
  fence: "durable",
  guard: "atomic",
  reads: "linearizable",
  transact: "full",
  durability: "none",
  clock: "machine",
  ttlGranularity: 1,
  maxValue: limits.maxValue,
  push: true,
  watch: "log",
  list: true,
  batchRoundTrips: 0,
  shared: "process",
  stamps: "atomic",
  maxGroup: limits.maxGroup,
};
