import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { SqlClient } from "../../../src/backends/sql/client.ts";
import {
  lookAtTables,
  makeTables,
  printedStatements,
  type Steps,
  type TablePlan,
} from "../../../src/backends/sql/migrations.ts";
import { migrateTables, openTables, type MigrateMode } from "../../../src/backends/sql/tables.ts";
import { systemTime as time } from "../../../src/base/time.ts";
import { jsonStatements } from "../../support/sql/documented.ts";
import { isPostgres, lacks, sqlKinds, startSql, type SqlServer } from "../../support/sql/kinds.ts";
import { clientOf, planOf } from "./support/places.ts";

const limit = (ms = 20_000): { time: typeof time; deadline: number } => ({ time, deadline: time.monotonic() + ms });

for (const kind of sqlKinds) {
  describe(`tables on ${kind}`, { skip: lacks(kind) }, () => {
    let server: SqlServer;
    let client: SqlClient;
    let prefixes = 0;
    before(async () => {
      server = await startSql(kind);
      client = clientOf(kind, server.url);
      await client.open(limit());
    });
    after(async () => {
      await client.close();
      await server.stop();
    });
    const fresh = (): TablePlan => planOf(kind, `t${++prefixes}_`);
    const open = async (plan: TablePlan, mode: MigrateMode = "auto"): Promise<string> =>
      openTables(client, plan, mode, limit());
    const refuses = async (plan: TablePlan, mode: MigrateMode, says: RegExp): Promise<void> =>
      assert.rejects(open(plan, mode), { name: "UnsupportedError", code: "UNSUPPORTED", message: says });
    const setMeta = async (plan: TablePlan, name: string, value: string): Promise<unknown> =>
      server.query(`UPDATE ${plan.names.meta} SET value = '${value}' WHERE name = '${name}'`);

    it("are made once, and have one domain", async () => {
      const plan = fresh();
      const domain = await open(plan);
      assert.match(domain, /^[\w.-]{12,}$/);
      assert.equal(await open(plan), domain);
      assert.equal(await open(plan, "check"), domain);
      assert.notEqual(await open(fresh()), domain, "another prefix is another store");
    });

    it("are made by fifty at once", async () => {
      const plan = fresh();
      const clients = Array.from({ length: 50 }, () => clientOf(kind, server.url));
      try {
        const domains = await Promise.all(clients.map(async (one) => openTables(one, plan, "auto", limit())));
        assert.equal(new Set(domains).size, 1);
      } finally {
        await Promise.all(clients.map(async (one) => one.close()));
      }
    });

    it("are there though somebody else has made them in the middle of a look", async () => {
      const plan = fresh();
      const [meta = ""] = plan.versions[0]?.statements.filter((text) => text.includes(plan.names.meta)) ?? [];
      await server.query(meta);
      const look = lookAtTables(plan);
      let step = look.next([]);
      for (let i = 0; !step.done; i++) {
        const replies = [];
        for (const { text } of step.value) replies.push(await client.read({ text, values: [] }, limit()));
        if (i === 0) await open(plan);
        step = look.next(replies);
      }
      assert.deepEqual([step.value.missing, step.value.version], [[], plan.versions.length]);
    });

    it("are only looked for where that is asked, and the error names the command", async () => {
      const plan = fresh();
      await refuses(plan, "check", /not made yet.*holdfast migrate URL/);
      assert.deepEqual((await steps(client, lookAtTables(plan))).version, 0);
    });

    it("are the same after a death behind any statement", async () => {
      const all = printedStatements(fresh()).length;
      for (let count = 0; count <= all; count++) {
        const plan = fresh();
        // What came before a death stays where each statement commits by itself, and goes in a transaction.
        await server.query(...printedStatements(plan).slice(0, count), "SELECT 1");
        if (count < all) await refuses(plan, "check", /not made yet/);
        const domain = await open(plan);
        assert.equal(await open(plan, "check"), domain);
      }
    });

    it("of a newer version that this code does not know are refused, and left alone", async () => {
      const plan = fresh();
      const domain = await open(plan);
      await setMeta(plan, "schema", "7");
      await setMeta(plan, "works_for", "2");
      await refuses(plan, "auto", /version 7, made by a newer version of this package.*knows 1/);
      await assert.rejects(migrateTables(client, plan, true, limit()), { code: "UNSUPPORTED" });
      // Another instance brought them to a version that this code can use: it is one that is to be replaced yet.
      await setMeta(plan, "works_for", "1");
      assert.equal(await open(plan), domain);
      const { report } = await migrateTables(client, plan, true, limit());
      assert.deepEqual([report.from, report.to], [7, 7]);
    });

    it("that were dropped are not made again in silence", async () => {
      const plan = fresh();
      const domain = await open(plan);
      await server.query(`DROP TABLE ${plan.names.locks}`);
      for (const mode of ["auto", "check"] as const) await refuses(plan, mode, /locks is gone.*holdfast migrate URL/);
      const { report } = await migrateTables(client, plan, true, limit());
      assert.deepEqual([report.from, report.to, report.again.length], [1, 1, 1]);
      assert.match(report.again[0] ?? "", /t\d+_locks$/);
      assert.equal(await open(plan), domain, "the others are as they were");
      await server.query(
        ...plan.versions.flatMap(({ tables }) => tables).map((one) => `DROP TABLE ${plan.names[one]}`),
      );
      assert.notEqual(await open(plan), domain, "nothing is left to tell that there was something");
    });

    it("are not made where something else has their name", async () => {
      const plan = fresh();
      await server.query(`CREATE VIEW ${plan.names.records} AS SELECT 1 AS one`);
      await assert.rejects(open(plan), { code: "UNSUPPORTED" });
      await server.query(`DROP VIEW ${plan.names.records}`);
      await open(plan);
    });

    it("are not made in a schema that does not exist", async () => {
      const plan = planOf(kind, "holdfast_", "nowhere");
      for (const mode of ["auto", "check"] as const) await refuses(plan, mode, /no schema nowhere/);
    });

    it("are made by what is printed", async () => {
      const plan = fresh();
      const printed = printedStatements(plan);
      await server.query(...printed);
      const domain = await open(plan, "check");
      await server.query(...printed, ...printedStatements(plan));
      assert.equal(await open(plan, "check"), domain, "who runs it again changes nothing");
    });

    it("give the value of a state record as JSON by the columns and indexes of the documentation", async () => {
      const plan = fresh();
      await open(plan);
      const own = jsonStatements(kind).map((text) =>
        text.replaceAll("holdfast_records", plan.names.records).replaceAll("holdfast_json", plan.names.other("json")),
      );
      assert.equal(own.length, 2);
      const key = isPostgres(kind) ? "key" : "`key`";
      const put = async (name: string, format: number, value: string): Promise<unknown> => {
        const hex = (text: string): string => {
          const digits = Buffer.from(text).toString("hex");
          return isPostgres(kind) ? `'\\x${digits}'::bytea` : `x'${digits}'`;
        };
        return server.query(
          `INSERT INTO ${plan.names.records} (space, ${key}, version, format, value) ` +
            `VALUES (${hex("s")}, ${hex(name)}, ${hex("v")}, ${format}, ${hex(value)})`,
        );
      };
      await put("a", 2, '{"paid":true,"name":"ü😀","customer":"ann"}');
      await put("b", 1, '{"paid":true}');
      await put("0", 2, "{broken");
      await server.query(...own);
      // They fail no write that comes after them.
      await put("c", 2, "{broken");
      await put("d", 2, '{"a":"\\u0000"}');
      await put("e", 2, `${"[".repeat(33)}${"]".repeat(33)}`);
      const text = isPostgres(kind) ? "data->>'name'" : "JSON_UNQUOTE(JSON_EXTRACT(data, '$.name'))";
      const rows = await server.query(
        `SELECT ${text} AS name FROM ${plan.names.records} WHERE data IS NOT NULL ORDER BY ${key}`,
      );
      assert.equal(rows[0]?.["name"], "ü😀");
      const without = await server.query(
        `SELECT count(*) AS n FROM ${plan.names.records} WHERE format = 1 AND data IS NOT NULL`,
      );
      assert.equal(Number(without[0]?.["n"]), 0);
      if (isPostgres(kind)) return;
      const [found] = await server.query(`SELECT COUNT(*) AS n FROM ${plan.names.records} WHERE customer = 'ann'`);
      assert.equal(Number(found?.["n"]), 1);
    });

    it("drop the death of a client that was making them", async () => {
      const plan = fresh();
      const statements = makeTables(plan, false);
      const transaction = await client.transaction(limit(), "calls");
      let step = statements.next([]);
      for (let trips = 0; !step.done && trips < 2; trips++) step = statements.next(await transaction.run(step.value));
      transaction.rollback(); // as its end does
      await open(plan);
    });
  });
}

async function steps<T>(client: SqlClient, asks: Steps<T>): Promise<T> {
  let step = asks.next([]);
  while (!step.done) {
    const replies = [];
    for (const statement of step.value) replies.push(await client.read(statement, limit()));
    step = asks.next(replies);
  }
  return step.value;
}
