import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { mysqlClient } from "../../../src/backends/mysql/client.ts";
import { mysqlDialect } from "../../../src/backends/mysql/dialect.ts";
import type { SetRow } from "../../../src/backends/sql/dialect.ts";
import type { TableNames } from "../../../src/backends/sql/identifiers.ts";
import { openTables } from "../../../src/backends/sql/tables.ts";
import { keyId, space, type Key } from "../../../src/base/keys.ts";
import { printedStatements, type TablePlan } from "../../../src/backends/sql/migrations.ts";
import { systemTime as time } from "../../../src/base/time.ts";
import { lacks, startSql, type SqlKind, type SqlServer } from "../../support/sql/kinds.ts";
import type { Row } from "../../support/sql/options.ts";
import { queryPostgres } from "../../support/sql/postgres.ts";
import { clientOf, planOf } from "./support/places.ts";

// What a server, a database or a role may be set to, and what others may be doing, while tables are made.

const limit = (ms = 20_000): { time: typeof time; deadline: number } => ({ time, deadline: time.monotonic() + ms });

async function open(kind: SqlKind, url: string, plan: TablePlan, ms?: number): Promise<string> {
  const client = clientOf(kind, url);
  try {
    return await openTables(client, plan, "auto", limit(ms));
  } finally {
    await client.close();
  }
}

for (const kind of ["postgres15", "postgres18"] as const) {
  describe(`traps of ${kind}`, { skip: lacks(kind) }, () => {
    let server: SqlServer;
    let databases = 0;
    before(async () => {
      server = await startSql(kind);
    });
    after(async () => server.stop());
    /** A database of its own: its URL, and how statements are run there. */
    const database = async (): Promise<{
      name: string;
      url: string;
      run: (...texts: string[]) => Promise<readonly Row[]>;
    }> => {
      const name = `d${++databases}`;
      await server.query(`CREATE DATABASE ${name}`);
      const url = server.url.replace(/[^/]*$/, name);
      return { name, url, run: async (...texts) => queryPostgres(url, ...texts) };
    };

    it("do not matter: settings of the database, decoys on the search path, two prefixes", async () => {
      const { name, url, run } = await database();
      await run(
        "CREATE SCHEMA decoy",
        "CREATE TABLE decoy.holdfast_meta (name text, value text)",
        "INSERT INTO decoy.holdfast_meta VALUES ('domain', 'decoy'), ('schema', '1')",
        "CREATE FUNCTION decoy.convert_from(bytea, text) RETURNS text LANGUAGE sql AS $$ SELECT 'decoy' $$",
        "CREATE FUNCTION decoy.hashtextextended(text, int) RETURNS bigint LANGUAGE sql AS $$ SELECT random()::bigint $$",
        `ALTER DATABASE ${name} SET search_path = decoy, pg_catalog`,
        `ALTER DATABASE ${name} SET timezone = 'Asia/Kolkata'`,
        `ALTER DATABASE ${name} SET datestyle = 'SQL, DMY'`,
        `ALTER DATABASE ${name} SET lock_timeout = '1ms'`,
        `ALTER DATABASE ${name} SET bytea_output = 'escape'`,
        `ALTER DATABASE ${name} SET check_function_bodies = off`,
        `ALTER DATABASE ${name} SET default_transaction_isolation = 'serializable'`,
        `ALTER DATABASE ${name} SET standard_conforming_strings = off`,
        `ALTER DATABASE ${name} SET client_min_messages = debug5`,
      );
      const plans = [planOf(kind), planOf(kind, "other_"), planOf(kind, "holdfast__")];
      const domains = await Promise.all(plans.map(async (plan) => open(kind, url, plan)));
      assert.equal(new Set([...domains, "decoy"]).size, 4);
      await run(
        "INSERT INTO public.holdfast_records (space, key, version, format, value) VALUES ('', '', '', 2, '{\"a\":1}')",
      );
      const [row] = await run("SELECT public.holdfast_json(value)->>'a' AS a FROM public.holdfast_records");
      assert.equal(row?.["a"], "1");
    });

    it("do not matter: another one that makes them takes longer than a lock is waited for", async () => {
      const { url, run } = await database();
      const plan = planOf(kind);
      const other = clientOf(kind, url);
      const transaction = await other.transaction(limit(), "calls");
      await transaction.run(plan.turn.map((text) => ({ text, values: [] })));
      const opening = open(kind, url, plan);
      await until(async () => {
        const [row] = await run("SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
        return Number(row?.["n"]) === 1;
      });
      // More than the 20 ms that other statements wait for.
      await transaction.run([{ text: "SELECT pg_sleep(0.3)", values: [] }]);
      await transaction.commit(printedStatements(plan).map((text) => ({ text, values: [] })));
      const [row] = await run(`SELECT value FROM ${plan.names.meta} WHERE name = 'domain'`);
      assert.equal(await opening, row?.["value"]);
      await other.close();
    });

    it("end in time where another one never ends", async () => {
      const { url } = await database();
      const plan = planOf(kind);
      const other = clientOf(kind, url);
      const transaction = await other.transaction(limit(), "calls");
      await transaction.run(plan.turn.map((text) => ({ text, values: [] })));
      const keeping = transaction.run([{ text: "SELECT pg_sleep(5)", values: [] }]).catch(() => undefined);
      await assert.rejects(open(kind, url, plan, 300), { code: "UNAVAILABLE" });
      await other.close();
      await keeping;
    });

    it("are said: no right to make tables, a schema of somebody else, a standby", async () => {
      const { name, url, run } = await database();
      await run("CREATE ROLE app LOGIN", "CREATE SCHEMA theirs", "REVOKE CREATE ON SCHEMA public FROM PUBLIC");
      const app = url.replace("postgres@", "app@");
      for (const plan of [planOf(kind), planOf(kind, "holdfast_", "theirs")]) {
        await assert.rejects(open(kind, app, plan), {
          code: "UNSUPPORTED",
          message: /permission denied for schema.*rights/,
        });
      }
      await run(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
      await assert.rejects(open(kind, url, planOf(kind)), { code: "UNAVAILABLE", message: /read-only/ });
    });
  });
}

const modes: Readonly<Record<"mariadb" | "mysql", readonly string[]>> = {
  mariadb: [
    "",
    "ANSI",
    "TRADITIONAL,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH",
    "ORACLE",
    "MSSQL,HIGH_NOT_PRECEDENCE",
  ],
  mysql: ["", "ANSI", "TRADITIONAL,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH", "HIGH_NOT_PRECEDENCE"],
};

/** What a session could read otherwise than it was meant. */
const texts = [
  ...[
    "",
    "plain",
    '{"a":[1,?,":length"],"b":"%s ?? @x -- /* # ; "}',
    "it's",
    "'",
    "\\",
    "\\'",
    "a\\",
    "`",
    "ü😀",
    "a\nb",
    "a\0b",
  ],
  ...["\u007f", "\u00bf\u0027", "X'00'", "_binary'", "{fn now()}"],
];

/** Writes {@link texts} as sets that look at nothing do, and gives what is there then. */
async function written(url: string, names: TableNames): Promise<readonly unknown[]> {
  const client = mysqlClient({ url });
  try {
    await client.open(limit());
    const dialect = mysqlDialect(names, () => client.server);
    const orders = space("state", "", "orders");
    const keys = texts.map((_, i) => ({ space: orders, key: String(i).padStart(2, "0") }));
    const rows = texts.map((value, i): SetRow => {
      return { key: keys[i] as Key, version: "v", format: 1, value, end: undefined, stamps: undefined };
    });
    // Twice: on MySQL and MariaDB a row that is there is written otherwise than one that is not.
    for (let times = 0; times < 2; times++) await client.write(() => dialect.set(rows), limit());
    const found = dialect.records(await client.read(dialect.get(keys, { values: true, current: true }), limit()));
    return keys.map((key) => found.find(({ id }) => id === keyId(key))?.value);
  } finally {
    await client.close();
  }
}

for (const kind of ["mariadb", "mysql"] as const) {
  describe(`traps of ${kind}`, { skip: lacks(kind) }, () => {
    it("do not matter: character sets, engine, row format, time zone, autocommit, sql_mode, two prefixes", async () => {
      const server = await startSql(kind, {
        settings: {
          "character-set-server": "utf8mb3",
          "collation-server": "utf8mb3_turkish_ci",
          "default-storage-engine": "MyISAM",
          "innodb-default-row-format": "compact",
          "innodb-strict-mode": "OFF",
          "default-time-zone": "+05:30",
          autocommit: "OFF",
          "transaction-isolation": "SERIALIZABLE",
          ...(kind === "mysql" && { "sql-require-primary-key": "ON" }),
        },
      });
      try {
        const [set] = await server.query("SELECT @@character_set_database AS c, @@default_storage_engine AS e");
        assert.deepEqual([set?.["c"], set?.["e"]], ["utf8mb3", "MyISAM"]);
        for (const [i, mode] of modes[kind].entries()) {
          await server.query(`SET GLOBAL sql_mode = '${mode}'`);
          const plans = [planOf(kind, `t${i}_`), planOf(kind, `t${i}_x_`, "holdfast"), planOf(kind, `t${i}__`)];
          const domains = await Promise.all(plans.map(async (plan) => open(kind, server.url, plan)));
          assert.equal(new Set(domains).size, 3);
          // The longest names that there are, what differs in its bytes alone, and a value of four-byte characters.
          const { records } = planOf(kind, `t${i}_`).names;
          const put = `INSERT INTO ${records} (space, \`key\`, version, format, value) VALUES `;
          const long = (bytes: number): string => `REPEAT(x'ff', ${bytes})`;
          await server.query(
            `${put}(${long(521)}, ${long(1024)}, ${long(255)}, 2, x'${Buffer.from('{"a":"😀"}').toString("hex")}')`,
            `${put}('', 'a', '', 1, ''), ('', 'A', '', 1, ''), ('', 'a ', '', 1, ''), ('', x'6100', '', 1, '')`,
            "COMMIT",
          );
          const [row] = await server.query(
            "SELECT count(*) AS n, max(HEX(JSON_UNQUOTE(JSON_EXTRACT(CASE WHEN format = 2 " +
              `THEN CONVERT(value USING utf8mb4) END, '$.a')))) AS a FROM ${records}`,
          );
          assert.deepEqual([Number(row?.["n"]), row?.["a"]], [5, Buffer.from("😀").toString("hex").toUpperCase()]);
          assert.deepEqual(await written(server.url, planOf(kind, `t${i}_`).names), texts);
          const [made] = await server.query(
            "SELECT count(*) AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'holdfast' " +
              `AND TABLE_NAME LIKE 't${i}%' AND (ENGINE <> 'InnoDB' OR ROW_FORMAT <> 'Dynamic')`,
          );
          assert.equal(Number(made?.["n"]), 0);
        }
      } finally {
        await server.stop();
      }
    });

    it("do not matter: a lock on the tables that takes longer than a row is waited for", async () => {
      const server = await startSql(kind);
      try {
        const plan = planOf(kind);
        await open(kind, server.url, plan);
        // The version is not written yet: all statements are run again, while a transaction reads the tables.
        await server.query(`DELETE FROM ${plan.names.meta} WHERE name = 'schema'`);
        const other = clientOf(kind, server.url);
        const transaction = await other.transaction(limit(), "calls");
        await transaction.run([{ text: `SELECT 1 FROM ${plan.names.records} FOR UPDATE`, values: [] }]);
        await open(kind, server.url, plan);
        await transaction.commit([]);
        await other.close();
      } finally {
        await server.stop();
      }
    });

    it("are said: no right to make tables, a server that is read-only", async () => {
      const server = await startSql(kind);
      try {
        await server.query("CREATE USER app@'%'", "GRANT SELECT, INSERT ON holdfast.* TO app@'%'");
        const url = server.url.replace("root@", "app@");
        await assert.rejects(open(kind, url, planOf(kind)), {
          code: "UNSUPPORTED",
          message: /no right.*rights/,
        });
        await server.query("SET GLOBAL read_only = ON");
        await server.query("GRANT CREATE ON holdfast.* TO app@'%'");
        await assert.rejects(open(kind, url, planOf(kind)), /read[-_]only/);
      } finally {
        await server.stop();
      }
    });
  });
}

/** Asks again until it is so. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve));
}
