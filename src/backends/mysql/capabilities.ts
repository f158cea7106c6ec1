import type { Capabilities } from "../../port/index.ts";
import { sqlCapabilities } from "../sql/capabilities.ts";
import { maxValue } from "../sql/session.ts";
import type { Server } from "./server.ts";

/** What the backend promises on a server that keeps what it has committed, and takes large packets. */
export const capabilities: Capabilities = { ...sqlCapabilities, push: false, watch: "none" };

/** Room in a statement for all but a value: keys, stamps and the words of SQL. */
const besides = 64 * 1_024;

/** What it promises on a server as it is set. */
export function capabilitiesOf({ mostBytes }: Server, { durability }: Pick<Capabilities, "durability">): Capabilities {
  return {
    ...capabilities,
    // A value goes in one packet, two characters a byte.
    maxValue: Math.max(0, Math.min(maxValue, Math.floor((mostBytes - besides) / 2))),
    durability,
  };
}
