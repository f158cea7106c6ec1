import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { inspect } from "node:util";
import {
  attemptFailure,
  endsConnection,
  isServerReply,
  lostError,
  replyError,
} from "../../../../src/backends/mysql/connections/errors.ts";
import type { SqlFailure } from "../../../../src/backends/sql/client.ts";
import { lacks } from "../../../support/sql/kinds.ts";
import { startMysql, type MysqlServer } from "../../../support/sql/mysql.ts";
import { until } from "../../../support/servers/until.ts";
import { Clients, failure, one, soon, sql } from "./support.ts";

/** As the driver gives it. */
function reply(errno: number): Parameters<typeof replyError>[0] {
  const error = Object.assign(new Error("quotes 'hidden'"), { errno, code: "ER_X", sqlState: "HY000", sql: "hidden" });
  assert.ok(isServerReply(error));
  return error;
}

void describe("what the number of an error of MySQL means", () => {
  const meanings: Readonly<Record<SqlFailure, readonly number[]>> = {
    busy: [1020, 1062, 1205, 1213, 1614, 3101, 3572],
    unavailable: [1021, 1040, 1047, 1053, 1114, 1146, 1203, 1206, 1223, 1226, 1290, 1317, 1792, 1836, 1969, 3024, 3100],
    lost: [1158, 1159, 1927, 3169, 4031],
    refused: [1045, 1049, 1064, 1142, 1153, 1406, 3157],
  };
  for (const [meaning, numbers] of Object.entries(meanings)) {
    void it(`${meaning}: ${numbers.join(", ")}`, () => {
      for (const errno of numbers) assert.equal(replyError(reply(errno)).failure, meaning, String(errno));
    });
  }

  void it("says of a commit that it may have been made where the server does not know better", () => {
    for (const errno of [1180, 1317, 1053, 3100]) assert.ok(replyError(reply(errno), true).mayHaveWritten);
    for (const errno of [1205, 1213, 3101, 1062, 1836]) assert.ok(!replyError(reply(errno), true).mayHaveWritten);
    assert.ok(!replyError(reply(1317)).mayHaveWritten);
  });

  void it("ends the connection where nothing works on it any more", () => {
    for (const errno of [1053, 1153, 1290, 1836, 1927, 3169, 4031]) assert.ok(endsConnection(reply(errno)));
    for (const errno of [1062, 1205, 1213, 1317, 3572, 1064]) assert.ok(!endsConnection(reply(errno)));
  });

  void it("is told from an error of the system", () => {
    const broken = Object.assign(new Error("write EPIPE"), { code: "EPIPE", errno: -32, syscall: "write" });
    for (const error of [broken, new Error("x"), undefined, 1205]) assert.ok(!isServerReply(error));
  });

  void it("says whether another attempt to connect may go better", () => {
    const finals = [1040, 1203, 1053, 1129, 1045, 1049, 1130].map((n) => attemptFailure(reply(n), "there").final);
    assert.deepEqual(finals, [false, false, false, false, true, true, true]);
    const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    const { error, final } = attemptFailure(new AggregateError([refused, refused]), "there");
    assert.equal(final, false);
    assert.match(error.message, /there cannot be reached: connect ECONNREFUSED, connect ECONNREFUSED/);
  });

  void it("goes with nothing that may hold a value or a password", () => {
    for (const error of [replyError(reply(1062)), lostError(reply(1064)), attemptFailure(reply(1045), "there").error]) {
      assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /hidden/);
    }
  });
});

for (const kind of ["mariadb", "mysql"] as const) {
  void describe(`errors of ${kind}`, { skip: lacks(kind) }, () => {
    let server: MysqlServer;
    const clients = new Clients();
    before(async () => {
      server = await startMysql({ kind, settings: { "max-connections": "12", "max-allowed-packet": "1M" } });
      await server.query(
        "CREATE TABLE t (k int PRIMARY KEY, v varchar(20))",
        "INSERT INTO t VALUES (1, 'x')",
        "CREATE USER app IDENTIFIED BY 'secret!'",
        "GRANT SELECT ON holdfast.* TO app",
      );
    });
    afterEach(async () => clients.close());
    after(async () => server.stop());

    void it("show neither values nor passwords", async () => {
      const client = clients.make(server.url);
      await client.open(soon());
      const told: unknown[] = [];
      const tell = async (call: Promise<unknown>): Promise<void> => {
        await call.then(
          () => assert.fail("it did not fail"),
          (error: unknown) => told.push(error),
        );
      };
      await tell(client.write(() => sql("INSERT INTO t VALUES (1, 'hidden')"), soon()));
      await tell(client.write(() => sql("INSERT INTO t VALUES (2, 'hidden and far too long for it')"), soon()));
      await tell(client.read(sql("SELECT 'hidden' FROM t WHERE hidden = 1"), soon()));
      await tell(client.read(sql("SELECT hidden FRO t"), soon()));
      const port = String(server.port);
      for (const user of ["app:hidden", "hidden:x", "root"]) {
        const other = clients.make(`mysql://${user}@127.0.0.1:${port}/${user === "root" ? "nowhere" : "holdfast"}`);
        await tell(other.open(soon()));
      }
      assert.equal(told.length, 7);
      for (const error of told) assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /hidden/);
      const [duplicate, tooLong, noColumn, noSense, wrong, unknown, nowhere] = told.map(String);
      assert.match(`${duplicate}`, /somebody inserted the same key at once \(ER_DUP_ENTRY, 1062\)/);
      for (const refused of [tooLong, noColumn, noSense]) assert.match(`${refused}`, /it cannot do this \(ER_/);
      for (const denied of [wrong, unknown]) assert.match(`${denied}`, /127.0.0.1:\d+ refused .*the password is wrong/);
      assert.match(`${nowhere}`, /there is no such database/);
    });

    void it("say that a user may not write, and that there are too many connections", async () => {
      const client = clients.make(`mysql://app:secret!@127.0.0.1:${server.port}/holdfast`);
      await client.open(soon());
      assert.equal(await failure(client.write(() => sql("DELETE FROM t"), soon())), "refused");
      const others = Array.from({ length: 12 }, () => clients.make({ url: server.url, maxConnections: 1 }));
      const opened = await Promise.allSettled(others.map(async (other) => other.open(soon(700))));
      const refused = opened.flatMap((end) => (end.status === "rejected" ? [end.reason as Error] : []));
      assert.ok(refused.length > 0 && refused.length < 12);
      for (const error of refused) {
        assert.match(error.message, /no connection within the time given: .*too many connections/);
        assert.equal((error as { refused?: unknown }).refused, true);
      }
    });

    void it("end a statement, not its connection, where somebody interrupts it", async () => {
      const client = clients.make(server.url);
      await client.open(soon());
      const holder = await client.transaction(soon(), "calls");
      await holder.run([sql("UPDATE t SET v = 'y' WHERE k = 1")]);
      const transaction = await client.transaction(soon(), "calls");
      const [told] = await transaction.run([sql("SELECT CONNECTION_ID()")]);
      const id = String(told?.rows[0]?.[0]);
      const waiting = failure(transaction.run([sql("UPDATE t SET v = 'z' WHERE k = 1")]));
      await until("it waits", async () => {
        const where = `id = ${id} AND info LIKE 'UPDATE%'`;
        return (await server.query(`SELECT 1 FROM information_schema.processlist WHERE ${where}`)).length > 0;
      });
      await server.query(`KILL QUERY ${id}`);
      assert.equal(await waiting, "unavailable");
      holder.rollback();
      const again = await client.transaction(soon(), "calls");
      const other = await client.transaction(soon(), "calls");
      const ids = [again, other].map(async (lent) =>
        String((await lent.run([sql("SELECT CONNECTION_ID()")]))[0]?.rows),
      );
      assert.ok((await Promise.all(ids)).includes(id));
      again.rollback();
      other.rollback();
      assert.equal(await one(client, "SELECT v FROM t"), "x");
    });

    void it("come early for what is larger than a packet: statements that are go in several trips", async () => {
      const client = clients.make(server.url);
      await client.open(soon());
      assert.equal(client.server.mostBytes, 1 << 20);
      const long = `/* ${"x".repeat(700_000)} */`;
      const transaction = await client.transaction(soon(), "calls");
      await transaction.run([
        sql(`INSERT INTO t VALUES (7, '7') ${long}`),
        sql(`UPDATE t SET v = 8 WHERE k = 7 ${long}`),
      ]);
      await transaction.commit([
        sql(`UPDATE t SET k = 9 WHERE k = 7 ${long}`),
        sql(`DELETE FROM t WHERE k = 1 ${long}`),
      ]);
      assert.equal(await one(client, "SELECT GROUP_CONCAT(k) FROM t"), "9");
      const over = `SELECT 1 /* ${"x".repeat(1_100_000)} */`;
      assert.match(await failure(client.read(sql(over), soon())), /refused|lost/);
      assert.equal(await one(client, "SELECT 5"), "5");
    });
  });
}
