import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Random } from "../../../chaos/support/random.ts";
import { FaultProxy } from "../../fault-proxy.ts";
import { until } from "../../servers/until.ts";
import { tallyWhile } from "../../faults/tally.ts";
import { lacks, startSql, type SqlKind } from "../kinds.ts";

const timeout = 2_000;

/**
 * What must hold of commits whose server or connection ends: acknowledged, they are there, and nothing is there twice. `limits`
 * are statements that set limits of time so short that the server ends statements and transactions under way, and `lifted` end them.
 */
export function commitFaults(kind: SqlKind, limits: readonly string[], lifted: readonly string[]): void {
  const skip = lacks(kind);

  void test(
    `${kind} is killed while it commits: nothing acknowledged is lost, nothing doubled`,
    { skip },
    async (t) => {
      const server = await startSql(kind, { flushes: true });
      const random = new Random(1);
      try {
        await tallyWhile(t, { url: server.url, timeout }, async () => {
          for (let i = 0; i < 5; i++) {
            await pause(random.int(50, 400)); // the moment is what is random here
            await server.kill();
            await server.restart();
          }
          await pause(200);
        });
      } finally {
        await server.stop();
      }
    },
  );

  void test(`sessions on ${kind} are ended while they commit: nothing is lost or doubled`, { skip }, async (t) => {
    const server = await startSql(kind);
    const url = await server.appUrl();
    const random = new Random(2);
    try {
      await tallyWhile(t, { url, timeout }, async () => {
        for (let i = 0; i < 20; i++) {
          await pause(random.int(10, 100));
          await server.endSessions("app");
        }
        await pause(200);
      });
    } finally {
      await server.stop();
    }
  });

  void test(`replies of ${kind} to commits are lost: nothing is lost or doubled`, { skip }, async (t) => {
    const server = await startSql(kind);
    const proxy = await FaultProxy.start({ port: server.port });
    const url = server.url.replace(`:${server.port}`, `:${proxy.port}`);
    const random = new Random(3);
    try {
      await tallyWhile(t, { url, readUrl: server.url, timeout }, async () => {
        for (let i = 0; i < 30; i++) {
          await pause(random.int(10, 60));
          const dropped = proxy.nextDrop();
          proxy.set({ kind: "drop-reply", to: "COMMIT" });
          await dropped;
          proxy.set({ kind: "none" });
        }
        await pause(200);
      });
    } finally {
      await proxy.close();
      await server.stop();
    }
  });

  void test(`${kind} ends what takes it too long: nothing is lost or doubled`, { skip }, async (t) => {
    const server = await startSql(kind);
    try {
      const url = await server.appUrl();
      await tallyWhile(t, { url, timeout }, async (acknowledged) => {
        await server.query(...limits);
        await server.endSessions("app"); // for those that came before
        const before = acknowledged();
        await pause(2_000); // as long as they work under them
        // On a busy machine little is done in so short a time.
        await until("they have worked", async () => acknowledged() > before + 20, 60_000);
        await server.query(...lifted);
      });
    } finally {
      await server.stop();
    }
  });
}
