import type { FaultSubject } from "../faults/place.ts";
import { lacks, startSql, type SqlKind } from "./kinds.ts";
import { mysqlUrl } from "./mysql.ts";
import { postgresUrl } from "./postgres.ts";

/** A server that speaks SQL, for the tests of faults. */
export function sqlFaults(kind: SqlKind): FaultSubject {
  return {
    name: kind,
    skip: lacks(kind),
    isDurable: true,
    fencesOutliveIt: true,
    async start({ flushes }) {
      const server = await startSql(kind, { flushes });
      return {
        port: server.port,
        url: server.url.startsWith("postgres:") ? postgresUrl : mysqlUrl,
        kill: async () => server.kill(),
        restart: async (options) => server.restart(options),
        stop: async () => server.stop(),
      };
    },
  };
}
