import assert from "node:assert/strict";
import type { EventEmitter } from "node:events";
import { afterEach, before, describe, it } from "node:test";
import * as mysql2 from "mysql2";
import { createPool, type PoolOptions } from "mysql2/promise";
import { mysqlBackend } from "../../../src/backends/mysql/index.ts";
import { lacks } from "../../support/sql/kinds.ts";
import { drawPrefix } from "../../support/sql/place.ts";
import { sharedServer } from "../../support/sql/shared.ts";
import { queryMysql } from "../../support/sql/mysql.ts";
import { until } from "../../support/servers/until.ts";
import { Clients, failure, one, soon, sql } from "./client/support.ts";
import { exercise } from "./support/exercise.ts";

/** What applications do to their pools: options of the driver, and what each connection is told. */
const pools: Readonly<Record<string, { readonly options?: PoolOptions; readonly session?: readonly string[] }>> = {
  "nothing unusual": {},
  "one connection": { options: { connectionLimit: 1 } },
  "statements one by one": { options: { multipleStatements: false } },
  "rows of its own shape": {
    options: { rowsAsArray: true, nestTables: "_", dateStrings: true, decimalNumbers: true, jsonStrings: true },
  },
  "numbers as text": { options: { supportBigNumbers: true, bigNumberStrings: true } },
  "columns read by a function": { options: { typeCast: (field) => `<${String(field.string())}>` } },
  "columns as bytes": { options: { typeCast: false } },
  "named placeholders": { options: { namedPlaceholders: true } },
  "a format of its own": {
    options: { queryFormat: (text: string) => text.replaceAll(/:[a-z]+|\?/g, "NULL") },
  },
  "a time zone": { options: { timezone: "+11:00" }, session: ["SET time_zone = '-09:30'"] },
  "an old character set": { options: { charset: "latin1" } },
  "a character set with backslashes inside of characters": { options: { charset: "gbk" } },
  "no affected rows that are the same": { options: { flags: ["-FOUND_ROWS"] } },
  "autocommit off": { session: ["SET autocommit = 0"] },
  "autocommit off, and statements one by one": {
    options: { multipleStatements: false },
    session: ["SET autocommit = 0"],
  },
  "dirty reads": { session: ["SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"] },
  serializable: { session: ["SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"] },
  "a transaction that was left open": { session: ["START TRANSACTION WITH CONSISTENT SNAPSHOT"] },
  "read-only, and a commit that goes on": {
    session: ["SET SESSION TRANSACTION READ ONLY", "SET completion_type = 1"],
  },
  "sql_mode: none": { session: ["SET sql_mode = ''"] },
  "sql_mode: ANSI": { session: ["SET sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,HIGH_NOT_PRECEDENCE'"] },
  "sql_mode: TRADITIONAL": { session: ["SET sql_mode = 'TRADITIONAL,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'"] },
  "safe updates, and few rows": {
    session: ["SET sql_safe_updates = 1, sql_select_limit = 1", "SET div_precision_increment = 0"],
  },
  "waits of its own": { session: ["SET wait_timeout = 1234", "SET innodb_lock_wait_timeout = 7"] },
};
const ofMariaDb: typeof pools = {
  "sql_mode: ORACLE": { session: ["SET sql_mode = 'ORACLE,NO_BACKSLASH_ESCAPES'"] },
  "sql_mode: EMPTY_STRING_IS_NULL": { session: ["SET sql_mode = 'EMPTY_STRING_IS_NULL,SIMULTANEOUS_ASSIGNMENT'"] },
  "sql_mode: MSSQL": { session: ["SET sql_mode = 'MSSQL'"] },
};
const settings =
  "@@sql_safe_updates, @@sql_select_limit, @@autocommit, @@wait_timeout, @@innodb_lock_wait_timeout, @@time_zone, @@sql_mode, @@completion_type, " +
  "@@character_set_client";

for (const kind of ["mariadb", "mysql"] as const) {
  void describe(`an application's pool to ${kind}`, { skip: lacks(kind) }, () => {
    let url = "";
    const clients = new Clients();
    afterEach(async () => clients.close());
    before(async () => void ({ url } = await sharedServer(kind)));

    for (const [name, { options = {}, session = [] }] of Object.entries(
      kind === "mysql" ? pools : { ...pools, ...ofMariaDb },
    )) {
      void it(`is used as it is: ${name}`, async () => {
        const pool = createPool({ uri: url, multipleStatements: true, connectionLimit: 4, ...options });
        const isolation = kind === "mysql" ? "@@transaction_isolation" : "@@tx_isolation";
        pool.pool.on("connection", (connection) => {
          for (const text of session) connection.query(text);
        });
        const look = async (): Promise<unknown> => {
          const text = `SELECT CONCAT_WS('|', ${settings}, ${isolation}) AS s`;
          const [rows] = await pool.query({
            sql: text,
            rowsAsArray: true,
            nestTables: false,
            typeCast: (f) => f.string(),
          });
          return rows;
        };
        try {
          const told = await look();
          const prefix = drawPrefix();
          // Tables are made by who may: not in a session that only reads.
          await makeTables(url, prefix);
          await exercise(mysqlBackend({ pool, prefix, connectTimeout: "20s" }));
          // It is open still, nobody has its connections, and each has the settings that it had.
          const limit = pool.pool.config.connectionLimit ?? 0;
          const held = await Promise.all(Array.from({ length: limit }, async () => pool.getConnection()));
          for (const connection of held) connection.release();
          assert.deepEqual(await look(), told);
        } finally {
          await pool.end();
        }
      });
    }

    void it("gets its connections back as they were, and is not used once it was ended", async () => {
      const pool = createPool({ uri: url, connectionLimit: 1 });
      const client = clients.make({ pool });
      await client.open(soon());
      const fresh = await pool.getConnection();
      const { threadId, connection } = fresh as unknown as { threadId: number; connection: EventEmitter };
      const heard = connection.listenerCount("error") + connection.listenerCount("end");
      const waiting = one(client, "SELECT CONNECTION_ID()", soon(10_000));
      const since = performance.now();
      await assert.rejects(client.read(sql("SELECT 1"), soon(200)), /no connection became free within the time given/);
      assert.ok(performance.now() - since < 8_000);
      fresh.release();
      assert.equal(await waiting, String(threadId));
      const renewal = await client.transaction(soon(), "renewals");
      const [other] = await renewal.run([sql("SELECT CONNECTION_ID()")]);
      assert.notEqual(String(other?.rows), String(threadId), "renewals have connections of their own");
      renewal.rollback();
      const again = await pool.getConnection();
      assert.equal(connection.listenerCount("error") + connection.listenerCount("end"), heard);
      again.release();
      const transaction = await client.transaction(soon(), "calls");
      await transaction.run([sql("DO 0")]);
      await queryMysql(url, `KILL ${threadId}`);
      await until("it is heard of", async () => (await failure(transaction.run([sql("DO 0")]))) === "lost");
      assert.notEqual(await one(client, "SELECT CONNECTION_ID()"), String(threadId));
      await pool.end();
      await assert.rejects(client.read(sql("SELECT 1"), soon(60_000)), /the pool was ended/);
    });

    void it("may be of either part of the driver", async () => {
      const pool = mysql2.createPool({ uri: url });
      await exercise(mysqlBackend({ pool, prefix: drawPrefix() }));
      await pool.promise().end();
    });
  });
}

async function makeTables(url: string, prefix: string): Promise<void> {
  const backend = mysqlBackend({ url, prefix });
  await backend.open();
  await backend.close();
}
