import type { Capabilities } from "../../port/index.ts";
import { maxGroup, maxValue } from "../sql/session.ts";

/** What the backend promises on a server as it is set. */
export function capabilitiesOf({ durability }: Pick<Capabilities, "durability">): Capabilities {
  return { ...capabilities, durability };
}

/** On a server that keeps what it has committed. */
export const capabilities: Capabilities = {
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
  push: true,
  watch: "lossy",
  list: true,
  batchRoundTrips: 2,
  shared: "network",
  stamps: "atomic",
  maxGroup,
};
