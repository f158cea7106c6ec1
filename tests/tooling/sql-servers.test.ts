import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { sqlKinds, startSql } from "../support/sql/kinds.ts";
import { startMysql } from "../support/sql/mysql.ts";
import { startPgBouncer } from "../support/sql/pgbouncer.ts";
import { queryPostgres, startPostgres } from "../support/sql/postgres.ts";
import { lacks } from "../support/sql/kinds.ts";

for (const kind of sqlKinds) {
  void test(
    `${kind} keeps its data over a kill, or starts with nothing, and stands still`,
    { skip: lacks(kind) },
    async () => {
      const server = await startSql(kind, { flushes: true });
      try {
        await server.query("CREATE TABLE t (x int)", "INSERT INTO t VALUES (7)");
        await server.restart();
        assert.deepEqual(await server.query("SELECT x FROM t"), [{ x: 7 }]);

        server.pause();
        const asked = server.query("SELECT x FROM t").catch((error: unknown) => error);
        assert.equal(await Promise.race([asked, pause(100, "silence")]), "silence");
        server.resume();
        await asked; // it may have given up
        assert.deepEqual(await server.query("SELECT x FROM t"), [{ x: 7 }]);

        await server.restart({ keep: false });
        await assert.rejects(server.query("SELECT x FROM t"), /does(n't| not) exist/);
        await server.kill();
        assert.equal(server.isRunning, false);
      } finally {
        await server.stop();
      }
      assert.equal(existsSync(server.folder), false);
    },
  );
}

for (const kind of ["pgbouncer118", "pgbouncer126"] as const) {
  const skip = lacks("postgres15") || lacks(kind);
  void test(`${kind} stands in front of a Postgres, in transaction mode`, { skip }, async () => {
    const server = await startPostgres({ kind: "postgres15" });
    const bouncer = await startPgBouncer({ kind, port: server.port, settings: { default_pool_size: "1" } });
    try {
      const [one, other] = [
        queryPostgres(bouncer.url, "BEGIN", "SELECT pg_sleep(0.05)", "COMMIT"),
        bouncer.query("SELECT 1 AS x"),
      ];
      assert.deepEqual(await other, [{ x: 1 }]);
      await one;
      await bouncer.restart();
      assert.deepEqual(await bouncer.query("SELECT 1 AS x"), [{ x: 1 }]);
    } finally {
      await bouncer.stop();
      await server.stop();
    }
  });
}

void test("a Postgres has a time zone of its own", { skip: lacks("postgres15") }, async () => {
  const server = await startPostgres({ kind: "postgres15", settings: { timezone: "Asia/Kolkata" } });
  try {
    assert.deepEqual(await server.query("SHOW timezone"), [{ TimeZone: "Asia/Kolkata" }]);
  } finally {
    await server.stop();
  }
});

for (const kind of ["mariadb", "mysql"] as const) {
  void test(`a ${kind} has a time zone, a mode and a character set of its own`, { skip: lacks(kind) }, async () => {
    const server = await startMysql({
      kind,
      settings: {
        "default-time-zone": "+05:30",
        "sql-mode": "ANSI_QUOTES",
        "character-set-server": "utf8mb3",
        "collation-server": "utf8mb3_general_ci",
      },
    });
    try {
      const question = "SELECT @@time_zone AS zone, @@global.sql_mode AS mode, @@collation_database AS collation";
      const expected = { zone: "+05:30", mode: "ANSI_QUOTES", collation: "utf8mb3_general_ci" };
      assert.deepEqual(await server.query(question), [expected]);
    } finally {
      await server.stop();
    }
  });
}
