import { placeOn, type FaultSubject } from "../faults/place.ts";
import { until } from "../servers/until.ts";
import { lacks, startSql, type SqlKind, type SqlServer } from "./kinds.ts";
import { mysqlUrl } from "./mysql.ts";
import { postgresUrl } from "./postgres.ts";

/** A server that speaks SQL, for the tests of faults. One that starts again with nothing has the tables, but no row in them. */
export function sqlFaults(kind: SqlKind): FaultSubject {
  return {
    name: kind,
    skip: lacks(kind),
    isDurable: true,
    fencesOutliveIt: true,
    async start({ flushes }) {
      const server = await startSql(kind, { flushes });
      return {
        ...placeOn(server, server.url.startsWith("postgres:") ? postgresUrl : mysqlUrl),
        async restart({ keep } = { keep: true }) {
          await server.restart();
          if (!keep) await until("its tables are empty", async () => isEmptied(server));
        },
      };
    },
  };
}

/** As if it had been restored from before everything. */
async function isEmptied(server: SqlServer): Promise<boolean> {
  const tables = ["records", "locks", "floors"];
  try {
    await server.query("BEGIN", ...tables.map((table) => `DELETE FROM holdfast_${table}`), "COMMIT");
    return true;
  } catch (error) {
    if (/deadlock|lock wait/i.test(String(error))) return false; // the clients work meanwhile
    throw error;
  }
}
