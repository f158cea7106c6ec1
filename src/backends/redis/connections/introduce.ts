import { isReply } from "./failures.ts";
import type { Role, Wire } from "./wire.ts";

/** Names the connection, and finds out whether the server answers us at all. */
export async function introduce(wire: Wire, role: Role): Promise<void> {
  try {
    await wire.send(["CLIENT", "SETNAME", `holdfast:${role}`]);
  } catch (error) {
    // A user may be forbidden to name its connections; a server that wants a password says so to any command.
    if (!isReply(error) || error.message.startsWith("NOAUTH")) throw error;
  }
}
