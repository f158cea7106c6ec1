import pg from "pg";
import { postgresBackend } from "../../../../src/backends/postgres/index.ts";
import { contentionCases } from "../../../../src/testing/port/contention.ts";
import { groupCases } from "../../../../src/testing/port/groups.ts";
import { lockCases } from "../../../../src/testing/port/locks.ts";
import { queueCases } from "../../../../src/testing/port/queues.ts";
import { portCases } from "../../../../src/testing/port-suite.ts";
import { conform } from "../../../support/conform.ts";
import { lacks } from "../../../support/sql/kinds.ts";
import { placeOnTables } from "../../../support/sql/place.ts";
import { sharedServer } from "../../../support/sql/shared.ts";

/**
 * The least that a pool has to do with, and what docs/postgres.md advises. The least runs the whole suite: nothing may need a second
 * client while it has one. The other runs what sends several statements and what waits; all else is sent in the same way on
 * connections of our own, in tests/conformance.
 */
const kinds = [
  { max: 1, pipeline: false, cases: portCases },
  { max: 3, pipeline: true, cases: [...contentionCases, ...groupCases, ...lockCases, ...queueCases] },
];

for (const { max, pipeline, cases } of lacks("postgres15") === false ? kinds : []) {
  const name = `a pool of ${max} on Postgres, with pipeline: ${pipeline}`;
  await conform("port", cases, [
    {
      name,
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
    },
  ]);
}
