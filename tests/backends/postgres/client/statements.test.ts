import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { inspect } from "node:util";
import pg from "pg";
import { lockMs, type Reply } from "../../../../src/backends/sql/client.ts";
import { lacks } from "../../../support/sql/kinds.ts";
import { startPostgres, type PostgresServer } from "../../../support/sql/postgres.ts";
import { Clients, failure, one, soon, sql } from "./support.ts";

const pid = sql("SELECT pg_backend_pid()");

void describe("statements on Postgres", { skip: lacks("postgres15") }, () => {
  let server: PostgresServer;
  const clients = new Clients();
  before(async () => {
    server = await startPostgres({ kind: "postgres15" });
    await server.query("CREATE TABLE t (k int PRIMARY KEY, v int NOT NULL)");
  });
  afterEach(async () => {
    await clients.close();
    await server.query("DELETE FROM t");
  });
  after(async () => server.stop());

  void it("read columns as the server's types say, whatever the application has told the driver", async () => {
    const int8 = pg.types.getTypeParser(pg.types.builtins.INT8);
    pg.types.setTypeParser(pg.types.builtins.INT8, (text) => `changed ${text}`);
    try {
      const bytes = Buffer.from([0, 255, 97]);
      const statement = sql(
        "SELECT $1::int8, $2::bytea, true, 'x'::text, NULL, 1.5::float8, '[1]'::json",
        2 ** 53,
        bytes,
      );
      const { rows } = await clients.make(server.url).read(statement, soon());
      assert.deepEqual(rows, [[2 ** 53, bytes, true, "x", null, 1.5, "[1]"]]);
    } finally {
      pg.types.setTypeParser(pg.types.builtins.INT8, int8);
    }
  });

  void it("are read on one connection, however many there are", async () => {
    const client = clients.make(server.url);
    const pids = await Promise.all(
      Array.from({ length: 500 }, async () => one(client, sql("SELECT pg_backend_pid()"))),
    );
    assert.equal(new Set(pids).size, 1);
  });

  void it("that write are transactions of their own", async () => {
    const client = clients.make(server.url);
    const reply = await client.write(() => sql("INSERT INTO t VALUES ($1, $2), (2, 2)", 1, 1), soon());
    assert.equal(reply?.changed, 2);
    assert.equal(await failure(client.write(() => sql("INSERT INTO t VALUES (3, 3), (1, 1)"), soon())), "busy");
    assert.deepEqual(await server.query("SELECT count(*)::int AS n FROM t"), [{ n: 2 }]);
  });

  void it("that are not made when a connection is there are not sent", async () => {
    const client = clients.make({ url: server.url, maxConnections: 1 });
    assert.equal(await client.write(() => undefined, soon()), undefined);
    const broken = (): never => {
      throw new Error("broken");
    };
    await assert.rejects(client.write(broken, soon()), /broken/);
    await client.write(() => sql("INSERT INTO t VALUES (1, 1)"), soon());
  });

  void it("in a transaction take effect together, at its commit", async () => {
    const client = clients.make(server.url);
    const transaction = await client.transaction(soon(), "calls");
    const [inserted, counted] = await transaction.run([
      sql("INSERT INTO t VALUES ($1, 1)", 1),
      sql("SELECT count(*)::int FROM t"),
    ]);
    assert.equal(inserted?.changed, 1);
    assert.deepEqual(counted?.rows, [[1]]);
    assert.equal(await one(client, sql("SELECT count(*)::int FROM t")), 0);
    assert.deepEqual(await transaction.commit([]), []);
    assert.equal(await one(client, sql("SELECT count(*)::int FROM t")), 1);
    assert.equal(await failure(transaction.run([sql("SELECT 1")])), "lost");
    transaction.rollback();
  });

  void it("that fail leave nothing of their transaction, and its connection to the next one", async () => {
    const client = clients.make({ url: server.url, maxConnections: 1 });
    for (const end of ["run", "commit"] as const) {
      const transaction = await client.transaction(soon(), "calls");
      await transaction.run([sql("INSERT INTO t VALUES (1, 1)")]);
      assert.equal(await failure(transaction[end]([sql("SELECT 1 / 0"), sql("SELECT 1")])), "refused");
    }
    const given = await client.transaction(soon(), "calls");
    await given.run([sql("INSERT INTO t VALUES (1, 1)")]);
    given.rollback();
    const next = await client.transaction(soon(), "calls");
    assert.deepEqual((await next.commit([sql("SELECT count(*)::int FROM t")]))[0]?.rows, [[0]]);
  });

  void it("wait for a locked row for a moment only", async () => {
    const client = clients.make(server.url);
    await client.write(() => sql("INSERT INTO t VALUES (1, 1), (2, 2)"), soon());
    const holder = await client.transaction(soon(), "calls");
    await holder.run([sql("SELECT FROM t WHERE k = 1 FOR UPDATE")]);
    const since = performance.now();
    assert.equal(await failure(client.write(() => sql("UPDATE t SET v = 9 WHERE k = 1"), soon())), "busy");
    const waiter = await client.transaction(soon(), "renewals");
    assert.equal(await failure(waiter.run([sql("SELECT FROM t WHERE k = 1 FOR UPDATE")])), "busy");
    assert.ok(performance.now() - since >= 2 * lockMs);
    await holder.commit([sql("UPDATE t SET v = 5 WHERE k = 1")]);
    assert.equal(await one(client, sql("SELECT v FROM t WHERE k = 1")), 5);
  });

  void it("deadlock with another transaction for a moment only", async () => {
    const client = clients.make(server.url);
    await client.write(() => sql("INSERT INTO t VALUES (1, 1), (2, 2)"), soon());
    const [a, b] = [await client.transaction(soon(), "calls"), await client.transaction(soon(), "calls")];
    await Promise.all([a.run([sql("UPDATE t SET v = 3 WHERE k = 1")]), b.run([sql("UPDATE t SET v = 3 WHERE k = 2")])]);
    const ends = await Promise.allSettled([
      a.commit([sql("UPDATE t SET v = 3 WHERE k = 2")]),
      b.commit([sql("UPDATE t SET v = 3 WHERE k = 1")]),
    ]);
    assert.ok(ends.some(({ status }) => status === "rejected"));
    for (const end of ends)
      if (end.status === "rejected") assert.equal(await failure(Promise.reject(end.reason as Error)), "busy");
  });

  void it("have what they need set inside of their transaction, whatever the role has set", async () => {
    const show = (name: string): ReturnType<typeof sql> => sql(`SELECT current_setting('${name}')`);
    const names = ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "transaction_isolation"];
    await server.query("ALTER ROLE postgres SET default_transaction_isolation = 'serializable'");
    try {
      const client = clients.make({ url: server.url, maxConnections: 1 });
      const transaction = await client.transaction(soon(3_500), "calls");
      const inside = await transaction.commit(names.map(show));
      assert.deepEqual(
        inside.map(({ rows }) => rows[0]?.[0]),
        ["20ms", "4s", "2s", "read committed"],
      );
    } finally {
      await server.query("ALTER ROLE postgres RESET ALL");
    }
  });

  void it("are refused nothing by the server because they come late", async () => {
    const client = clients.make(server.url);
    for (const late of [0, -1, -100_000]) {
      (await client.transaction(soon(), "calls")).rollback();
      const end = await client
        .write(() => sql("INSERT INTO t VALUES ($1, 1)", -late), soon(late))
        .then(
          () => "written",
          (error: Error) => error.message,
        );
      assert.match(end, /written|overdue/);
    }
  });

  void it("whose reply is overdue leave no connection of theirs to the next transaction", async () => {
    const client = clients.make({ url: server.url, maxConnections: 1 });
    const [first] = (await (await client.transaction(soon(), "calls")).commit([pid])) as [Reply];
    const since = performance.now();
    const slow = client.write(() => sql("INSERT INTO t VALUES (1, length(pg_sleep(9)::text))"), soon(100));
    assert.equal(await failure(slow), "lost, maybe written");
    const [next] = (await (await client.transaction(soon(), "calls")).commit([pid])) as [Reply];
    assert.notDeepEqual(next.rows, first.rows);
    assert.ok(performance.now() - since < 8_000);
  });

  void it("are answered where the reply came in time, and this process was busy", async () => {
    const client = clients.make(server.url);
    await client.open(soon());
    const transaction = await client.transaction(soon(300), "calls");
    await transaction.run([sql("SELECT 1")]);
    const both = Promise.all([client.read(pid, soon(300)), transaction.commit([])]);
    // The requests are on their way.
    await new Promise((resolve) => setImmediate(resolve));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
    await both;
  });

  void it("of renewals do not wait for those of calls", async () => {
    const client = clients.make({ url: server.url, maxConnections: 1 });
    const busy = await client.transaction(soon(), "calls");
    await busy.run([sql("SELECT 1")]);
    const long = client.read(sql("SELECT pg_sleep(5)"), soon(600));
    const renewal = await client.transaction(soon(500), "renewals");
    await renewal.commit([sql("INSERT INTO t VALUES (1, 1)")]);
    await assert.rejects(client.transaction(soon(50), "calls"), /no connection became free within the time given/);
    busy.rollback();
    assert.equal(await failure(long), "lost");
  });

  void it("tell no value in an error", async () => {
    const client = clients.make(server.url);
    const calls = [
      async () => client.read(sql("SELECT $1::text::int", "a secret"), soon()),
      async () => client.read(sql("SELECT $1::text::json", '{"a secret"'), soon()),
      async () => client.write(() => sql("INSERT INTO t SELECT $1::text::int, NULL", "9876543"), soon()),
      async () => client.write(() => sql("INSERT INTO t VALUES ($1::text::int, 1), (9876543, 2)", "9876543"), soon()),
    ];
    for (const call of calls) {
      const error = await call().then(
        () => undefined,
        (reason: unknown) => reason as Error,
      );
      assert.match(inspect(error), /SqlError: the server said: /);
      assert.doesNotMatch(inspect(error, { depth: Infinity, showHidden: true }), /a secret|9876543/);
    }
  });
});
