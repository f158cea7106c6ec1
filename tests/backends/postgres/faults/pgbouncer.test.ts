import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Random } from "../../../chaos/support/random.ts";
import { tallyWhile } from "../../../support/faults/tally.ts";
import { lacks } from "../../../support/sql/kinds.ts";
import { startPgBouncer } from "../../../support/sql/pgbouncer.ts";
import { startPostgres } from "../../../support/sql/postgres.ts";

for (const kind of ["pgbouncer118", "pgbouncer126"] as const) {
  const skip = lacks("postgres15") || lacks(kind);
  // Fewer connections than the instances have: each is handed from one to the other.
  const settings = { default_pool_size: "3", server_login_retry: "0.1" };

  void test(`${kind} and the Postgres behind it are killed: nothing is lost or doubled`, { skip }, async (t) => {
    const server = await startPostgres({ kind: "postgres15", flushes: true });
    const bouncer = await startPgBouncer({ kind, port: server.port, settings });
    const random = new Random(1);
    try {
      await tallyWhile(t, { url: bouncer.url, readUrl: server.url, timeout: 2_000 }, async () => {
        for (const one of [bouncer, server, bouncer]) {
          await pause(random.int(100, 500)); // the moment is what is random here
          await one.kill();
          await one.restart();
        }
        await pause(500);
      });
    } finally {
      await bouncer.stop();
      await server.stop();
    }
  });
}
