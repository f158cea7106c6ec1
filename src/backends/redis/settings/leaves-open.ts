import { durabilityOf } from "./persistence.ts";
import type { SettingsTerms } from "./check.ts";
import { evicts } from "./rules.ts";
import type { ServerInfo } from "./server-info.ts";

/** What these servers, with these settings, do not promise: a sentence each. */
export function leavesOpen(servers: readonly ServerInfo[], topology: string, terms: SettingsTerms): string[] {
  const replicated = topology !== "single" || servers.some(({ replicas }) => replicas.length > 0);
  const open: string[] = [];
  if (servers.some(evicts)) {
    open.push("What the server evicts is gone: a lock, a record, or the version that a write is compared with.");
  }
  if (terms.use === "all" && servers.some((server) => durabilityOf(server) === "none")) {
    open.push("A server that dies and comes back has lost acknowledged writes and locks that were held.");
  }
  if (replicated) {
    open.push(
      "Replication is asynchronous. A primary that dies before it has replicated loses what it acknowledged last; " +
        "the one that takes over may not know of a lock, and grants it again while its first holder goes on.",
      "A primary that is cut off goes on acknowledging, renewals of leases too, until it notices; " +
        "when it comes back, those writes are lost.",
      "WAIT would change neither: it tells who has received a write, and a replica that has not may still take over.",
    );
  } else {
    open.push("There is no replica: while this server is away, calls fail.");
  }
  open.push(
    "Fences rise with the server's clock where a lock's record was lost: one that is behind may grant a lower one.",
  );
  if (terms.notifications !== "off")
    open.push("watch() may miss changes while its connection is away, and says so with a gap.");
  return open;
}
