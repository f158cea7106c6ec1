import type { Capabilities } from "../../port/index.ts";
import { sqlCapabilities } from "../sql/capabilities.ts";

/** On a server that keeps what it has committed, and whose notifications come. */
export const capabilities: Capabilities = { ...sqlCapabilities, push: true, watch: "lossy" };

/** What a server, as it is set and as it is reached, leaves of the promises. */
export interface Promised extends Pick<Capabilities, "durability"> {
  /** Whether notifications come. */
  readonly hears: boolean;
}

/** What the backend promises on a server as it is set. */
export function capabilitiesOf({ durability, hears }: Promised): Capabilities {
  return { ...capabilities, durability, ...(!hears && { push: false, watch: "none" }) };
}
