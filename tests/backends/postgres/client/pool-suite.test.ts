import pg from "pg";
import { postgresBackend } from "../../../../src/backends/postgres/index.ts";
import { portCases } from "../../../../src/testing/port-suite.ts";
import { conform } from "../../../support/conform.ts";
import { lacks } from "../../../support/sql/kinds.ts";
import { placeOnTables } from "../../../support/sql/place.ts";
import { sharedServer } from "../../../support/sql/shared.ts";

/** What a pool has to do with, and how it sends: the least, and what docs/postgres.md advises. */
const kinds = [
  { max: 1, pipeline: false },
  { max: 3, pipeline: true },
];

if (lacks("postgres15") === false) {
  await conform(
    "port",
    portCases,
    kinds.map(({ max, pipeline }) => ({
      name: `a pool of ${max} on Postgres, with pipeline: ${pipeline}`,
      async place() {
        const server = await sharedServer("postgres15");
        const pools: pg.Pool[] = [];
        const place = await placeOnTables(server, "public", (prefix) => {
          const pool = new pg.Pool({ connectionString: server.url, max, pipeline, allowExitOnIdle: true });
          pool.on("error", () => undefined);
          pools.push(pool);
          return postgresBackend({ pool, prefix });
        });
        return {
          ...place,
          async close() {
            await place.close();
            await Promise.all(pools.map(async (pool) => pool.end()));
          },
        };
      },
    })),
  );
}
