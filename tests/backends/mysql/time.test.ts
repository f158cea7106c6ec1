import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createPool, type Pool } from "mysql2/promise";
import { systemTime } from "../../../src/base/time.ts";
import { mysqlBackend } from "../../../src/backends/mysql/index.ts";
import { mysqlDialect } from "../../../src/backends/mysql/dialect.ts";
import { mysqlTables } from "../../../src/backends/mysql/migrations.ts";
import { connect } from "../../../src/entries/index.ts";
import { lacks } from "../../support/sql/kinds.ts";
import { until } from "../../support/servers/until.ts";
import { startMysql, type MysqlServer } from "../../support/sql/mysql.ts";

// Of the servers that are started here, and of this process: a zone whose clock goes back in November.
process.env["TZ"] = "America/New_York";

for (const kind of ["mariadb", "mysql"] as const) {
  void describe(`time on ${kind}`, { skip: lacks(kind) }, () => {
    let server: MysqlServer;
    const pools: Pool[] = [];
    before(async () => void (server = await startMysql({ kind })));
    after(async () => {
      await Promise.all(pools.map(async (pool) => pool.end()));
      await server.stop();
    });

    /** A pool whose sessions are in a time zone. */
    function poolIn(zone: string): Pool {
      const pool = createPool({ uri: server.url, multipleStatements: true, timezone: "-03:30" });
      pool.pool.on("connection", (connection) => connection.query(`SET time_zone = '${zone}'`));
      pools.push(pool);
      return pool;
    }

    void it("is the server's, whatever the zones of sessions: a lease excludes, and ends once", async () => {
      const zones = ["SYSTEM", "-12:00", "+13:00", "+05:45"];
      const all = await Promise.all(zones.map(async (zone) => connect(mysqlBackend({ pool: poolIn(zone) }))));
      try {
        const [first, ...others] = all.map((hf) => hf.lock("l"));
        const state = all.map((hf) => hf.state<number>("s"));
        const lease = await first?.acquire("k", { ttl: "60s" });
        assert.ok(lease);
        for (const lock of others) {
          assert.equal(await lock.tryAcquire("k"), undefined);
          const { remainingMs = 0 } = (await lock.inspect("k")) ?? {};
          assert.ok(remainingMs > 50_000 && remainingMs <= 60_000, String(remainingMs));
        }
        await state[1]?.save("k", 1, { ttl: "60s" });
        for (const store of state) {
          const left = ((await store.loadEntry("k"))?.expiresAt ?? 0) - Date.now();
          assert.ok(left > 50_000 && left <= 61_000, String(left));
        }
        await state[2]?.touch("k", 1);
        await state[3]?.save("other", 1, { ttl: 1 });
        for (const key of ["k", "other"]) {
          const isGone = async (): Promise<boolean> => !(await state[0]?.has(key));
          await until(`${key} has expired`, isGone);
          for (const store of state) assert.equal(await store.load(key), undefined);
        }
        await lease.release();
        const next = await others[0]?.tryAcquire("k");
        assert.ok(next && next.fence > lease.fence);
      } finally {
        await Promise.all(all.map(async (hf) => hf.close()));
      }
    });

    void it("goes on evenly where the clock on the wall goes back or forth", async () => {
      const { names } = mysqlTables("holdfast", "holdfast_");
      const dialect = mysqlDialect(names, () => ({
        isMariaDb: kind === "mariadb",
        version: "",
        mostBytes: 1e6,
        flush: 1,
      }));
      const pool = poolIn("SYSTEM");
      const connection = await pool.getConnection();
      const { text } = dialect.clock();
      for (const day of [
        "2026-11-01T05:59:59Z",
        "2026-11-01T06:30:00Z",
        "2026-03-08T06:59:59Z",
        "2026-03-08T07:30:00Z",
      ]) {
        const ms = Date.parse(day);
        // Sets what the server takes for now, in this session.
        await connection.query(`SET timestamp = ${ms / 1_000 + 0.25}`);
        const [rows] = await connection.query({ sql: text, rowsAsArray: true });
        const { micros } = dialect.time({ rows: rows as unknown as unknown[][], changed: 0 });
        assert.equal(micros, (ms + 250) * 1_000, day);
        const [local] = await connection.query({ sql: "SELECT HOUR(NOW())", rowsAsArray: true });
        assert.notDeepEqual(local, [[Number(day.slice(11, 13))]], "the session is in the zone of the server");
      }
      connection.release();
    });

    void it("is near that of this machine", async () => {
      const hf = await connect(mysqlBackend({ url: server.url }));
      const store = hf.state<number>("near");
      const earliest = systemTime.wall();
      await store.save("k", 1, { ttl: "10s" });
      const end = (await store.loadEntry("k"))?.expiresAt ?? 0;
      assert.ok(end >= earliest + 9_990 && end <= systemTime.wall() + 10_010);
      await hf.close();
    });
  });
}
