import type { Capabilities } from "../../port/index.ts";
import { maxGroup, maxValue } from "../sql/session.ts";

/** What a server, as it is set and as it is reached, leaves of the promises. */
export interface Promised extends Pick<Capabilities, "durability"> {
  /** Whether notifications come. */
  readonly hears: boolean;
}

/** What the backend promises on a server as it is set. */
export function capabilitiesOf({ durability, hears }: Promised): Capabilities {
  return { ...capabilities, durability, ...(!hears && { push: false, watch: "none" }) };
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
