import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import type { PostgresClient } from "../../../../src/backends/postgres/client.ts";
import { FaultProxy } from "../../../support/fault-proxy.ts";
import { lacks, postgresFaultKinds } from "../../../support/sql/kinds.ts";
import { postgresUrl, startPostgres, type PostgresServer } from "../../../support/sql/postgres.ts";
import { until } from "../../../support/servers/until.ts";
import { Clients, failure, one, soon, sql } from "./support.ts";

const pid = sql("SELECT pg_backend_pid()");

for (const kind of postgresFaultKinds) {
  void describe(`connections to ${kind} that are lost`, { skip: lacks(kind) }, () => {
    let server: PostgresServer;
    let proxy: FaultProxy;
    let client: PostgresClient;
    const clients = new Clients();
    before(async () => {
      server = await startPostgres({ kind });
      proxy = await FaultProxy.start({ port: server.port });
      await server.query("CREATE TABLE t (k int PRIMARY KEY, v int NOT NULL)", "INSERT INTO t VALUES (1, 0)");
      client = clients.make(postgresUrl(proxy.port));
      await client.open(soon());
    });
    afterEach(async () => {
      proxy.set({ kind: "none" });
      await clients.close();
      if (!server.isRunning) await server.restart();
      client = clients.make(postgresUrl(proxy.port));
      await client.open(soon());
      await client.write(() => sql("UPDATE t SET v = 0"), soon());
    });
    after(async () => {
      await clients.close();
      await proxy.close();
      await server.stop();
    });

    /** Ends connections of ours, while they are idle or where they run this. */
    async function terminate(where: string): Promise<void> {
      await server.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = 'holdfast' AND ${where}`,
      );
    }
    async function runs(text: string): Promise<void> {
      const query = `SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '${text}%'`;
      await until(`it runs ${text}`, async () => (await server.query(query)).length > 0);
    }

    void it("come back when the server has died and is there again", async () => {
      const transaction = await client.transaction(soon(), "calls");
      await transaction.run([sql("UPDATE t SET v = 1")]);
      const sleeping = client.read(sql("SELECT pg_sleep(1), 'slept'"), soon(20_000));
      const writing = failure(client.write(() => sql("UPDATE t SET v = v + 1 + length(pg_sleep(9)::text)"), soon()));
      await runs("SELECT pg_sleep");
      await server.kill();
      // Where the end is not heard of yet, the commit is sent into the void.
      assert.match(await failure(transaction.commit([sql("UPDATE t SET v = 2")])), /^lost/);
      assert.equal(await writing, "lost, maybe written");
      const reading = one(client, sql("SELECT v FROM t"), soon(20_000));
      await server.restart();
      assert.equal(await reading, 0);
      assert.equal((await sleeping).rows[0]?.[1], "slept");
      await client.write(() => sql("UPDATE t SET v = 3"), soon());
      const renewal = await client.transaction(soon(), "renewals");
      await renewal.commit([sql("UPDATE t SET v = 4")]);
      assert.equal(await one(client, sql("SELECT v FROM t")), 4);
    });

    void it("are made anew when the server has ended them while they were idle", async () => {
      const first = await one(client, pid);
      await client.write(() => sql("UPDATE t SET v = 1"), soon());
      await terminate("true");
      await client.write(() => sql("UPDATE t SET v = 2"), soon());
      assert.notEqual(await one(client, pid), first);
      assert.equal(await one(client, sql("SELECT v FROM t")), 2);
    });

    void it("have their statements sent again where they only read", async () => {
      const statement = sql("SELECT count(pg_sleep(0.3))::int, pg_backend_pid()");
      const first = await one(client, pid);
      const reading = Promise.all(Array.from({ length: 10 }, async () => client.read(statement, soon())));
      await runs("SELECT count");
      await terminate("query LIKE 'SELECT count%'");
      for (const { rows } of await reading) {
        assert.equal(rows[0]?.[0], 1);
        assert.notEqual(rows[0]?.[1], first);
      }
    });

    void it("have their first statements of a transaction sent again where nothing can have been written", async () => {
      const transaction = await client.transaction(soon(), "calls");
      const running = transaction.run([sql("UPDATE t SET v = v + length(pg_sleep(0.3)::text) + 1")]);
      await runs("UPDATE t");
      await terminate("query LIKE 'UPDATE t%'");
      await running;
      const writing = client.write(() => sql("INSERT INTO t VALUES (2, 1 + length(pg_sleep(0.3)::text))"), soon());
      await runs("INSERT INTO t");
      await terminate("query LIKE 'INSERT INTO t%'");
      assert.equal((await writing)?.changed, 1);
      await transaction.commit([sql("DELETE FROM t WHERE k = 2")]);
      assert.deepEqual(await server.query("SELECT * FROM t"), [{ k: 1, v: 1 }]);
    });

    void it("have changed nothing that was not committed", async () => {
      const transaction = await client.transaction(soon(), "calls");
      await transaction.run([sql("UPDATE t SET v = 7")]);
      await terminate("state = 'idle in transaction'");
      await until("it is heard of", async () => {
        const [{ n } = {}] = await server.query(
          "SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'idle in transaction'",
        );
        return n === 0;
      });
      assert.match(await failure(transaction.commit([])), /^(?:lost|unavailable)$/);
      assert.equal(await one(client, sql("SELECT v FROM t")), 0);
    });

    void it("without the reply of a commit say that it may have written, and they say so of nothing else", async () => {
      await client.write(() => sql("UPDATE t SET v = 1"), soon());
      const transaction = await client.transaction(soon(), "calls");
      await transaction.run([sql("UPDATE t SET v = 2")]);
      proxy.set({ kind: "drop-reply" });
      assert.equal(await failure(transaction.commit([])), "lost, maybe written");
      proxy.set({ kind: "none" });
      await until("it was written", async () => (await one(client, sql("SELECT v FROM t"))) === 2);
      const writing = client.write(() => {
        proxy.set({ kind: "drop-reply" });
        return sql("UPDATE t SET v = 3");
      }, soon());
      assert.equal(await failure(writing), "lost, maybe written");
      proxy.set({ kind: "none" });
      const third = await client.transaction(soon(), "calls");
      proxy.set({ kind: "drop-reply" });
      const running = third.run([sql("UPDATE t SET v = 4")]);
      await proxy.nextDrop();
      proxy.set({ kind: "none" });
      await running;
      third.rollback();
    });

    void it("are found out by their deadline when the network is silent", async () => {
      const [committing, begun] = [
        await client.transaction(soon(2_500), "calls"),
        await client.transaction(soon(2_500), "calls"),
      ];
      await committing.run([sql("SELECT FROM t WHERE k = 1 FOR UPDATE")]);
      proxy.set({ kind: "black-hole" });
      const since = performance.now();
      const calls = [
        failure(client.read(pid, soon(2_500))),
        failure(committing.commit([sql("UPDATE t SET v = 9")])),
        failure(begun.run([sql("SELECT 1")])),
        client.transaction(soon(2_500), "renewals").catch((error: Error) => error.message),
      ];
      assert.deepEqual(await Promise.all(calls), [
        "lost",
        "lost, maybe written",
        "lost",
        "no connection within the time given",
      ]);
      const took = performance.now() - since;
      assert.ok(took < 8_000, `took ${took} ms`);
      proxy.set({ kind: "none" });
      await client.write(() => sql("UPDATE t SET v = 1"), soon());
    });

    void it("are left, where they are silent, by reads that have time", async () => {
      const earlier = await one(client, pid);
      proxy.set({ kind: "silence" });
      const first = failure(client.read(pid, soon(1_200)));
      const others = Array.from({ length: 20 }, async () => one(client, pid, soon(10_000)));
      const since = performance.now();
      assert.equal(await first, "lost");
      for (const other of await Promise.all(others)) assert.notEqual(other, earlier);
      const took = performance.now() - since;
      assert.ok(took < 8_000, `took ${took} ms`);
    });

    void it("are not, because one call had little time", async () => {
      const earlier = await one(client, pid);
      // Nothing was heard for a while, for nothing was asked.
      await server.query("SELECT pg_sleep(1.2)");
      const first = failure(client.read(sql("SELECT pg_sleep(0.4)"), soon(100)));
      const neighbour = one(client, pid);
      assert.equal(await first, "lost");
      assert.equal(await neighbour, earlier);
      assert.equal(await one(client, pid), earlier);
    });

    void it("leave no row locked for long that a paused process had locked", async () => {
      const paused = await client.transaction(soon(20_000), "calls");
      await paused.run([sql("SELECT FROM t FOR UPDATE")]);
      const since = performance.now();
      await until("the row is free", async () => {
        const written = await client.write(() => sql("UPDATE t SET v = 1"), soon()).catch(() => undefined);
        return written?.changed === 1;
      });
      const took = performance.now() - since;
      assert.ok(took > 1_000 && took < 15_000, `took ${took} ms`);
      assert.equal(await failure(paused.commit([sql("UPDATE t SET v = 2")])), "lost");
      assert.equal(await one(client, sql("SELECT v FROM t")), 1);
    });

    void it("are replaced when the server takes no writes for a while", async () => {
      await server.query("ALTER ROLE postgres SET default_transaction_read_only = on");
      const reading = clients.make(server.url);
      try {
        assert.equal(await failure(reading.write(() => sql("UPDATE t SET v = 1"), soon())), "unavailable");
        assert.equal(await one(reading, sql("SELECT v FROM t")), 0);
      } finally {
        await server.query("SET default_transaction_read_only = off", "ALTER ROLE postgres RESET ALL");
      }
      await reading.write(() => sql("UPDATE t SET v = 1"), soon());
    });

    void it("are enough where the server has no more to give", async () => {
      await server.query("CREATE ROLE few LOGIN CONNECTION LIMIT 2");
      await server.query("GRANT ALL ON t TO few");
      const few = clients.make({ url: server.url.replace("postgres@", "few@"), maxConnections: 4 });
      await few.open(soon());
      const transaction = await few.transaction(soon(), "calls");
      await transaction.run([sql("SELECT 1")]);
      await assert.rejects(few.transaction(soon(300), "renewals"), {
        code: "UNAVAILABLE",
        refused: true,
        message: /too many connections for role "few" \(53300\)/,
      });
      const waiting = few.write(() => sql("UPDATE t SET v = 1"), soon());
      await transaction.commit([]);
      assert.equal((await waiting)?.changed, 1);
      await few.close();
      await server.query("DROP OWNED BY few; DROP ROLE few");
    });
  });
}
