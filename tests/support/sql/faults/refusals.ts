import { refusalFaults } from "../../faults/refusals.ts";
import { until } from "../../servers/until.ts";
import { lacks, startSql, type SqlKind } from "../kinds.ts";

/** What must hold while a server that speaks SQL refuses what it is asked; `says` is what it says then. */
export function sqlRefusals(kind: SqlKind, says: { readonly readOnly: RegExp; readonly full: RegExp }): void {
  refusalFaults(kind, lacks(kind), {
    name: "read-only",
    says: says.readOnly,
    releases: true,
    async start() {
      const server = await startSql(kind);
      return {
        url: await server.appUrl(),
        async begin() {
          await server.setReadOnly(true);
          // On Postgres a session hears of it before its next statement.
          await until("it is read-only", async () => server.isReadOnly());
        },
        end: async () => server.setReadOnly(false),
        stop: async () => server.stop(),
      };
    },
  });

  refusalFaults(kind, lacks(kind), {
    name: "no connection is left",
    says: says.full,
    releases: true,
    async start() {
      const server = await startSql(kind);
      let giveBack: (() => Promise<void>) | undefined;
      return {
        url: await server.appUrl(),
        begin: async () => (giveBack = await server.takeConnections()),
        end: async () => giveBack?.(),
        stop: async () => server.stop(),
      };
    },
  });
}
