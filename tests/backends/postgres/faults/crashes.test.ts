import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Random } from "../../../chaos/support/random.ts";
import { tallyWhile } from "../../../support/faults/tally.ts";
import { lacks, postgresFaultKinds } from "../../../support/sql/kinds.ts";
import { startPostgres } from "../../../support/sql/postgres.ts";

for (const kind of postgresFaultKinds) {
  // The server ends all other processes then, and recovers as after a crash.
  void test(
    `a process of ${kind} crashes while it commits: nothing is lost or doubled`,
    { skip: lacks(kind) },
    async (t) => {
      const server = await startPostgres({ kind });
      const url = await server.appUrl();
      const random = new Random(1);
      try {
        await tallyWhile(t, { url, readUrl: server.url, timeout: 2_000 }, async () => {
          for (let i = 0; i < 4; i++) {
            await pause(random.int(100, 400)); // the moment is what is random here
            const sessions = await server.query("SELECT pid FROM pg_stat_activity WHERE usename = 'app'");
            if (sessions.length > 0) process.kill(Number(random.pick(sessions)["pid"]), "SIGKILL");
            await server.answers();
          }
          await pause(300);
        });
      } finally {
        await server.stop();
      }
    },
  );
}
