import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import pg from "pg";
import { FaultProxy } from "../../../support/fault-proxy.ts";
import { until } from "../../../support/servers/until.ts";
import { lacks } from "../../../support/sql/kinds.ts";
import { postgresUrl, startPostgres, type PostgresServer } from "../../../support/sql/postgres.ts";
import { Clients, failure, one, soon, sql } from "./support.ts";

const pid = sql("SELECT pg_backend_pid()");

void describe("a client on the application's own pool", { skip: lacks("postgres15") }, () => {
  let server: PostgresServer;
  let proxy: FaultProxy;
  const clients = new Clients();
  const pools: pg.Pool[] = [];
  before(async () => {
    server = await startPostgres({ kind: "postgres15" });
    proxy = await FaultProxy.start({ port: server.port });
    await server.query("CREATE TABLE t (k int PRIMARY KEY, v int NOT NULL)", "INSERT INTO t VALUES (1, 0)");
  });
  afterEach(async () => {
    proxy.set({ kind: "none" });
    await clients.close();
    await Promise.all(pools.splice(0).map(async (pool) => pool.end()));
  });
  after(async () => {
    await proxy.close();
    await server.stop();
  });

  /** A pool whose errors somebody listens to, as an application has to. */
  function poolOf(options: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ connectionString: postgresUrl(proxy.port), max: 1, ...options });
    pool.on("error", () => undefined);
    pools.push(pool);
    return pool;
  }

  for (const pipeline of [false, true]) {
    void it(`runs statements and transactions on its clients, with pipeline: ${pipeline}`, async () => {
      const pool = poolOf({ pipeline });
      const client = clients.make({ pool });
      const mine = await one(client, pid);
      assert.deepEqual((await pool.query("SELECT pg_backend_pid() AS pid")).rows, [{ pid: mine }]);
      const transaction = await client.transaction(soon(), "calls");
      const [locked] = await transaction.run([sql("SELECT v, pg_backend_pid() FROM t WHERE k = $1 FOR UPDATE", 1)]);
      assert.deepEqual(locked?.rows, [[0, mine]]);
      await transaction.commit([sql("UPDATE t SET v = v + 1"), sql("UPDATE t SET v = v + 1")]);
      assert.equal(await failure(client.write(() => sql("INSERT INTO t VALUES (1, 1)"), soon())), "busy");
      const given = await client.transaction(soon(), "calls");
      await given.run([sql("UPDATE t SET v = 9")]);
      given.rollback();
      await client.write(() => sql("UPDATE t SET v = v - 2"), soon());
      assert.equal(await one(client, sql("SELECT v FROM t WHERE k = 1")), 0);
      assert.equal(pool.totalCount, 1);
      const settings = ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"];
      for (const name of settings) assert.deepEqual((await pool.query(`SHOW ${name}`)).rows, [{ [name]: "0" }]);
    });
  }

  for (const pipeline of [false, true]) {
    void it(`ends what somebody left open on a client, and is not part of it, with pipeline: ${pipeline}`, async () => {
      const pool = poolOf({ pipeline });
      const client = clients.make({ pool });
      const mend = sql("UPDATE t SET v = v + 1 WHERE k = 1");
      const uses: readonly (() => Promise<unknown>)[] = [
        async () => undefined,
        async () => client.write(() => mend, soon()),
        async () => {
          const transaction = await client.transaction(soon(), "calls");
          await transaction.run([mend]);
          await transaction.commit([]);
        },
      ];
      for (const level of ["READ COMMITTED", "REPEATABLE READ"]) {
        for (const failing of ["SELECT 1", "SELECT 1/0"]) {
          for (const [i, use] of uses.entries()) {
            const left = await pool.connect();
            await left.query(`BEGIN ISOLATION LEVEL ${level}`);
            await left.query("INSERT INTO t VALUES (2, 2)");
            await left.query(failing).catch(() => undefined);
            left.release();
            await server.query("UPDATE t SET v = 10 WHERE k = 1");
            await use();
            assert.equal(await one(client, sql("SELECT v FROM t WHERE k = 1")), i === 0 ? 10 : 11);
            assert.equal(await one(client, sql("SELECT count(*)::int FROM t")), 1, "it was committed");
          }
        }
      }
      await client.write(() => sql("UPDATE t SET v = 0"), soon());
    });
  }

  void it("says that every client of the pool has a transaction open, and goes on when that is over", async () => {
    const pool = poolOf();
    let open = true;
    const { connect } = pool;
    Object.assign(pool, {
      async connect() {
        const made = await (connect as () => Promise<pg.PoolClient>).call(pool);
        if (open) await made.query("BEGIN");
        return made;
      },
    });
    const client = clients.make({ pool });
    const waiting = one(client, pid, soon(20_000));
    await until("it is said", async () => /has a transaction open/.test(client.problem?.message ?? ""));
    open = false;
    assert.equal(typeof (await waiting), "number");
  });

  void it("does without prepared statements when the application discards them", async () => {
    const pool = poolOf({ pipeline: true });
    const client = clients.make({ pool });
    for (let i = 0; i < 4; i++) {
      assert.equal(await one(client, sql("SELECT $1::int", i)), i);
      const transaction = await client.transaction(soon(), "calls");
      await transaction.run([sql("SELECT $1::int + 1", i)]);
      const [reply] = await transaction.commit([sql("SELECT $1::int + 2", i)]);
      assert.deepEqual(reply?.rows, [[i + 2]]);
      await client.write(() => sql("UPDATE t SET v = $1 WHERE k = 1", i), soon());
      await pool.query("DISCARD ALL");
    }
    assert.equal(await one(client, sql("SELECT v FROM t")), 3);
    await client.write(() => sql("UPDATE t SET v = 0"), soon());
  });

  void it("has connections of its own for renewals, and leaves those of the pool with no listener more", async () => {
    const pool = poolOf();
    const held = await pool.connect();
    const listeners = held.listenerCount("error") + held.listenerCount("end");
    held.release();
    const client = clients.make({ pool });
    await one(client, pid);
    const again = await pool.connect();
    assert.equal(again.listenerCount("error") + again.listenerCount("end"), listeners);
    const renewal = await client.transaction(soon(), "renewals");
    await renewal.commit([sql("UPDATE t SET v = 0")]);
    again.release();
  });

  void it("ends its calls by their deadline while the pool is busy, and serves the others when it is not", async () => {
    const pool = poolOf();
    const held = await pool.connect();
    const client = clients.make({ pool });
    const since = performance.now();
    const waiting = one(client, pid, soon(10_000));
    await assert.rejects(client.read(pid, soon(200)), /no connection became free within the time given/);
    await assert.rejects(
      client.write(() => assert.fail("it was made"), soon(200)),
      { code: "UNAVAILABLE" },
    );
    assert.ok(performance.now() - since < 8_000);
    held.release();
    assert.equal(typeof (await waiting), "number");
    assert.deepEqual((await pool.query("SELECT 1 AS one")).rows, [{ one: 1 }]);
  });

  void it("hears the end of a client that it has, and gives it back as one that is of no use", async () => {
    const pool = poolOf();
    const client = clients.make({ pool });
    const transaction = await client.transaction(soon(), "calls");
    const [reply] = await transaction.run([pid]);
    await server.query(`SELECT pg_terminate_backend(${String(reply?.rows[0]?.[0])})`);
    await until("it is heard of", async () => /^lost|^unavailable/.test(await failure(transaction.commit([]))));
    assert.notEqual(await one(client, pid), reply?.rows[0]?.[0]);
    assert.equal(pool.totalCount, 1);
  });

  void it("gives back a client whose reply is overdue as one that is of no use", async () => {
    const pool = poolOf();
    const client = clients.make({ pool });
    await one(client, pid);
    proxy.set({ kind: "silence" });
    assert.equal(await failure(client.read(pid, soon(300))), "lost");
    const transaction = await client.transaction(soon(5_000), "calls");
    await transaction.commit([sql("UPDATE t SET v = 0")]);
    assert.equal(pool.totalCount, 1);
  });

  void it("says which commits may have taken effect", async () => {
    const client = clients.make({ pool: poolOf() });
    const transaction = await client.transaction(soon(), "calls");
    await transaction.run([sql("SELECT 1")]);
    proxy.set({ kind: "drop-reply" });
    // The commit is sent behind the reply to the statement, which never comes.
    assert.equal(await failure(transaction.commit([sql("UPDATE t SET v = 0")])), "lost");
    proxy.set({ kind: "none" });
    const second = await client.transaction(soon(), "calls");
    await second.run([sql("SELECT 1")]);
    proxy.set({ kind: "drop-reply" });
    assert.equal(await failure(second.commit([])), "lost, maybe written");
  });

  void it("waits for a server that is away, and tells what the pool said of it", async () => {
    const pool = poolOf();
    const client = clients.make({ pool });
    proxy.set({ kind: "refuse" });
    await assert.rejects(one(client, pid, soon(300)), /no connection within the time given: .* ECONNRESET/);
    const waiting = one(client, pid);
    proxy.set({ kind: "none" });
    assert.equal(typeof (await waiting), "number");
  });

  void it("says at once that the pool was ended, or that no attempt will work", async () => {
    const ended = new pg.Pool({ connectionString: server.url });
    await ended.end();
    await assert.rejects(one(clients.make({ pool: ended }), pid, soon(20_000)), {
      code: "UNAVAILABLE",
      message: /the pool was ended/,
    });
    const nowhere = poolOf({ connectionString: `${server.url}_not_there` });
    await assert.rejects(one(clients.make({ pool: nowhere }), pid, soon(20_000)), {
      code: "INVALID_ARGUMENT",
      message: /database "postgres_not_there" does not exist \(3D000\)/,
    });
  });

  void it("ends neither the pool nor its clients when it is closed", async () => {
    const pool = poolOf({ max: 2 });
    const client = clients.make({ pool });
    const waiting = one(client, pid);
    await waiting;
    const lent = await client.transaction(soon(), "calls");
    await client.close();
    await assert.rejects(one(client, pid), { code: "UNAVAILABLE", message: /is closed/ });
    await assert.rejects(lent.run([pid]), { code: "UNAVAILABLE", message: /is closed/ });
    assert.deepEqual((await pool.query("SELECT 1 AS one")).rows, [{ one: 1 }]);
  });

  void it("is refused what is no pool", () => {
    const make = (pool: unknown) => () => clients.make({ pool: pool as object });
    for (const pool of [null, {}, "pool", new pg.Client()]) {
      assert.throws(make(pool), { code: "INVALID_ARGUMENT", message: /the pool is not a Pool of package pg/ });
    }
  });
});
