import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { SqlError } from "../../../../src/backends/sql/client.ts";
import { lacks } from "../../../support/sql/kinds.ts";
import { startPgBouncer, type PgBouncer } from "../../../support/sql/pgbouncer.ts";
import { startPostgres, type PostgresServer } from "../../../support/sql/postgres.ts";
import { Clients, failure, one, soon, sql } from "./support.ts";

const kinds = ["pgbouncer118", "pgbouncer126"] as const;

/** Tries again what others are in the way of: a row, or a statement that the pooler's connection does not know yet. */
async function untilDone(attempt: () => Promise<boolean>): Promise<void> {
  for (;;) {
    try {
      if (await attempt()) return;
    } catch (error) {
      if (!(error instanceof SqlError) || error.failure !== "busy") throw error;
    }
  }
}

for (const kind of kinds) {
  void describe(`a client behind ${kind}`, { skip: lacks("postgres15") || lacks(kind) }, () => {
    let server: PostgresServer;
    let bouncer: PgBouncer;
    const clients = new Clients();
    before(async () => {
      server = await startPostgres({ kind: "postgres15" });
      bouncer = await startPgBouncer({ kind, port: server.port, settings: { default_pool_size: "4" } });
      await server.query("CREATE TABLE t (k int PRIMARY KEY, v int NOT NULL)");
      await server.query("INSERT INTO t SELECT k, 0 FROM generate_series(1, 100) k");
    });
    afterEach(async () => clients.close());
    after(async () => {
      await bouncer.stop();
      await server.stop();
    });

    void it("reads, writes and runs transactions as one that is alone, whoever has its connections in between", async () => {
      const all = Array.from({ length: 3 }, () => clients.make(bouncer.url));
      const work = all.flatMap((client) =>
        Array.from({ length: 60 }, async (_, i) => {
          const k = 1 + (i % 100);
          const { rows } = await client.read(sql("SELECT k FROM t WHERE k = $1", k), soon(20_000));
          assert.deepEqual(rows, [[k]]);
          await untilDone(async () => {
            const transaction = await client.transaction(soon(20_000), i % 2 === 0 ? "calls" : "renewals");
            const [locked] = await transaction.run([
              sql("SELECT v FROM t WHERE k = $1 FOR UPDATE SKIP LOCKED", k),
              sql("SELECT clock_timestamp()"),
            ]);
            if (locked?.rows.length === 1) {
              await transaction.commit([sql("UPDATE t SET v = $2 WHERE k = $1", k, Number(locked.rows[0]?.[0]) + 1)]);
              return true;
            }
            transaction.rollback();
            return false;
          });
          await untilDone(async () => {
            const written = client.write(() => sql("UPDATE t SET v = v + 1 WHERE k = $1", k), soon(20_000));
            return (await written)?.changed === 1;
          });
        }),
      );
      await Promise.all(work);
      assert.deepEqual(await server.query("SELECT sum(v)::int AS sum FROM t"), [{ sum: 2 * work.length }]);
    });

    void it("loses nothing to statements that fail", async () => {
      const client = clients.make(bouncer.url);
      for (let i = 0; i < 20; i++) {
        assert.equal(await failure(client.read(sql("SELECT 1 / $1::int", 0), soon())), "refused");
        assert.equal(await failure(client.read(sql(`SELECT nothing${i}`), soon())), "refused");
        const transaction = await client.transaction(soon(), "calls");
        const run = transaction.run([sql("SELECT 1 / $1::int", 0), sql("SELECT v FROM t WHERE k = $1", i)]);
        assert.equal(await failure(run), "refused");
        assert.equal(await one(client, sql("SELECT count(*)::int FROM t WHERE k = $1", i + 1)), 1);
      }
    });

    void it("leaves nothing behind on the connections of the pooler", async () => {
      const client = clients.make(bouncer.url);
      await client.write(() => sql("UPDATE t SET v = 0"), soon());
      const transaction = await client.transaction(soon(), "calls");
      await transaction.run([sql("SELECT 1")]);
      transaction.rollback();
      await client.close();
      for (let i = 0; i < 8; i++) {
        const [row] = await bouncer.query(
          "SELECT current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement, " +
            "current_setting('idle_in_transaction_session_timeout') AS idle",
        );
        assert.deepEqual(row, { lock: "0", statement: "0", idle: "0" });
      }
    });

    void it("refuses to listen through it, and listens where listenUrl leads", async () => {
      const heard = { notified: () => undefined, gap: () => undefined };
      const listener = clients.make(bouncer.url).listener(heard);
      await assert.rejects(listener.listen("channel", soon(20_000).deadline), {
        code: "UNSUPPORTED",
        message: /pooler.*listenUrl/,
      });
      const other = clients.make({ url: bouncer.url, listenUrl: server.url }).listener(heard);
      await other.listen("channel", soon().deadline);
    });

    void it("comes back when the pooler has died and is there again", async () => {
      const client = clients.make(bouncer.url);
      await client.write(() => sql("UPDATE t SET v = 0"), soon());
      await bouncer.kill();
      const reading = one(client, sql("SELECT count(*)::int FROM t"), soon(20_000));
      const writing = client
        .write(() => sql("UPDATE t SET v = 1 WHERE k = 1"), soon(20_000))
        .then(
          () => "written",
          (error: Error) => error.message,
        );
      await bouncer.restart();
      assert.equal(await reading, 100);
      assert.match(await writing, /^written$|lost before the reply/);
    });
  });
}
