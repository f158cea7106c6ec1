import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import type { MySqlClient } from "../../../../src/backends/mysql/client.ts";
import { FaultProxy } from "../../../support/fault-proxy.ts";
import { lacks } from "../../../support/sql/kinds.ts";
import { mysqlUrl, startMysql, type MysqlServer } from "../../../support/sql/mysql.ts";
import { until } from "../../../support/servers/until.ts";
import { Clients, failure, one, soon, sql } from "./support.ts";

for (const kind of ["mariadb", "mysql"] as const) {
  void describe(`connections to ${kind} that are lost`, { skip: lacks(kind) }, () => {
    let server: MysqlServer;
    let proxy: FaultProxy;
    let client: MySqlClient;
    const clients = new Clients();
    before(async () => {
      server = await startMysql({ kind });
      proxy = await FaultProxy.start({ port: server.port });
      await server.query("CREATE TABLE t (k int PRIMARY KEY, v int NOT NULL)", "INSERT INTO t VALUES (1, 0)");
    });
    const renew = async (): Promise<void> => {
      proxy.set({ kind: "none" });
      await clients.close();
      client = clients.make(mysqlUrl(proxy.port));
      await client.open(soon(20_000));
      await client.write(() => sql("UPDATE t SET v = 0"), soon());
    };
    before(renew);
    afterEach(renew);
    after(async () => {
      await clients.close();
      await proxy.close();
      await server.stop();
    });

    /** Ends connections of ours that are in the middle of such a statement; of all, without. */
    async function terminate(statement = ""): Promise<void> {
      const where = `id <> CONNECTION_ID() AND db = 'holdfast' AND COALESCE(info, '') LIKE '${statement}%'`;
      let ids: readonly unknown[] = [];
      await until(`it runs ${statement}`, async () => {
        const rows = await server.query(`SELECT id AS id FROM information_schema.processlist WHERE ${where}`);
        ids = rows.map(({ id }) => id);
        return ids.length > 0;
      });
      for (const id of ids) await server.query(`KILL ${String(id)}`);
    }

    void it("are made anew when the server has died and is there again", async () => {
      const reading = one(client, "SELECT SLEEP(0.5) + v FROM t", soon(20_000));
      const writing = failure(client.write(() => sql("UPDATE t SET v = v + 1 + SLEEP(9)"), soon()));
      await until("it runs", async () => {
        return (
          (await server.query("SELECT 1 FROM information_schema.processlist WHERE info LIKE 'UPDATE%'")).length > 0
        );
      });
      await server.kill();
      assert.equal(await writing, "lost, maybe written");
      await server.restart();
      assert.equal(await reading, "0");
      await client.write(() => sql("UPDATE t SET v = 3"), soon());
      assert.equal(await one(client, "SELECT v FROM t"), "3");
    });

    void it("fail nobody where they were idle", async () => {
      const first = await one(client, "SELECT CONNECTION_ID()");
      await client.write(() => sql("UPDATE t SET v = 1"), soon());
      await terminate();
      await until("all is heard of", async () => (await one(client, "SELECT CONNECTION_ID()")) !== first);
      await client.write(() => sql("UPDATE t SET v = 2"), soon());
      assert.equal(await one(client, "SELECT v FROM t"), "2");
    });

    void it("have their statements sent again where nothing can have been written", async () => {
      const reading = one(client, "SELECT SLEEP(0.5) + 7");
      await terminate("SELECT SLEEP");
      assert.equal(await reading, "7");
      const transaction = await client.transaction(soon(), "calls");
      const running = transaction.run([sql("UPDATE t SET v = v + 1 + SLEEP(0.5)")]);
      await terminate("UPDATE t");
      await running;
      await transaction.commit([]);
      assert.equal(await one(client, "SELECT v FROM t"), "1");
    });

    void it("without the reply of a commit say that it may have written, and of nothing else", async () => {
      const transaction = await client.transaction(soon(), "calls");
      await transaction.run([sql("UPDATE t SET v = 5")]);
      proxy.set({ kind: "drop-reply" });
      assert.equal(await failure(transaction.commit([])), "lost, maybe written");
      proxy.set({ kind: "none" });
      const other = await client.transaction(soon(), "calls");
      await other.run([sql("UPDATE t SET v = 6")]);
      proxy.set({ kind: "drop-reply" });
      assert.equal(await failure(other.run([sql("UPDATE t SET v = 7")])), "lost");
      proxy.set({ kind: "none" });
      await assert.rejects(other.commit([]), { failure: "lost" });
    });

    void it("are given up when a reply is overdue, and what waits for one ends by its deadline", async () => {
      await client.write(() => sql("UPDATE t SET v = 1"), soon());
      proxy.set({ kind: "black-hole" });
      const since = performance.now();
      assert.equal(await failure(client.write(() => sql("UPDATE t SET v = 2"), soon(300))), "lost, maybe written");
      assert.equal(await failure(client.read(sql("SELECT 1"), soon(300))), "lost");
      await assert.rejects(client.read(sql("SELECT 1"), soon(300)), { code: "UNAVAILABLE" });
      assert.ok(performance.now() - since < 10_000);
      proxy.set({ kind: "none" });
      assert.equal(await one(client, "SELECT 1", soon(10_000)), "1");
    });

    void it("end with the client, and whoever uses them is told", async () => {
      const transaction = await client.transaction(soon(), "calls");
      await transaction.run([sql("UPDATE t SET v = 1")]);
      const sleeping = assert.rejects(client.read(sql("SELECT SLEEP(9)"), soon()), /closed/);
      const waiting = Promise.allSettled(Array.from({ length: 5 }, async () => client.transaction(soon(), "calls")));
      await client.close();
      await sleeping;
      const told = await waiting;
      assert.ok(told.some(({ status }) => status === "rejected"));
      for (const lent of told) if (lent.status === "fulfilled") lent.value.rollback();
      transaction.rollback();
      await assert.rejects(client.read(sql("SELECT 1"), soon()), /closed/);
      await until("all have ended", async () => {
        const where = "db = 'holdfast' AND id <> CONNECTION_ID() AND COALESCE(info, '') NOT LIKE 'SELECT SLEEP%'";
        return (await server.query(`SELECT 1 FROM information_schema.processlist WHERE ${where}`)).length === 0;
      });
    });
  });
}
