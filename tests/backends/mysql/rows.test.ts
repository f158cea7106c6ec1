import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { createConnection, type Connection } from "mysql2/promise";
import { space, type Key } from "../../../src/base/keys.ts";
import { systemTime } from "../../../src/base/time.ts";
import { mysqlClient, type MySqlClient } from "../../../src/backends/mysql/client.ts";
import { mysqlDialect } from "../../../src/backends/mysql/dialect.ts";
import { mysqlTables } from "../../../src/backends/mysql/migrations.ts";
import type { Reply, Statement } from "../../../src/backends/sql/client.ts";
import type { Dialect, SetRow, Table } from "../../../src/backends/sql/dialect.ts";
import { openTables } from "../../../src/backends/sql/tables.ts";
import { lacks } from "../../support/sql/kinds.ts";
import { drawPrefix } from "../../support/sql/place.ts";
import { sharedServer } from "../../support/sql/shared.ts";

const orders = space("state", "", "orders");
const tables: readonly Table[] = ["records", "locks", "floors"];

function keyOf(i: number): Key {
  return { space: orders, key: `key ${String(i).padStart(5, "0")}` };
}

/** `count` keys of even numbers: those of odd ones belong to others. */
function ours(count: number): Key[] {
  return Array.from({ length: count }, (_, i) => keyOf(2 * i));
}

function rowOf(key: Key): SetRow {
  return { key, version: "v", format: 2, value: '{"a":1}', end: undefined, stamps: undefined };
}

const limit = (): { readonly deadline: number } => ({ deadline: systemTime.monotonic() + 10_000 });

for (const kind of ["mariadb", "mysql"] as const) {
  void describe(`rows on ${kind}`, { skip: lacks(kind) }, () => {
    let client: MySqlClient;
    let dialect: Dialect;
    let others: Connection;
    let names: ReturnType<typeof mysqlTables>["names"];
    before(async () => {
      const { url } = await sharedServer(kind);
      client = mysqlClient({ url, connectTimeout: "20s" });
      await client.open(limit());
      const plan = mysqlTables("holdfast", drawPrefix());
      ({ names } = plan);
      await openTables(client, plan, "auto", { ...limit(), time: systemTime });
      dialect = mysqlDialect(names, () => client.server);
      others = await createConnection({ uri: url, multipleStatements: true });
    });
    afterEach(async () => {
      await others.query("ROLLBACK");
      for (const table of tables) await others.query(`DELETE FROM ${names[table]}`);
    });
    after(async () => {
      await others.end();
      await client.close();
    });

    async function run(...statements: readonly Statement[]): Promise<readonly Reply[]> {
      const transaction = await client.transaction(limit(), "calls");
      try {
        const replies = await transaction.run(statements);
        await transaction.commit([]);
        return replies;
      } finally {
        transaction.rollback();
      }
    }

    /** Every statement, as the shared code uses them on rows that are there or not. */
    async function useAll(keys: readonly Key[]): Promise<void> {
      const write = { mode: "write", values: true } as const;
      for (const table of tables) {
        await run(dialect.insertMissing(table, keys));
        for (const skip of [true, false]) {
          for (const mode of ["write", "read"] as const) {
            const [reply] = await run(dialect.lock(table, keys, { ...write, mode, skip }));
            assert.equal(reply?.rows.length, keys.length, `${table} ${mode} ${skip}`);
          }
        }
      }
      await run(dialect.set(keys.map(rowOf)), dialect.touch(keys.map((key) => ({ key, end: 2 ** 45 }))));
      await run(
        dialect.setLocks(keys.map((key) => ({ key, body: "[1,[],[],[]]", grant: 1, keptUntil: 5 }))),
        dialect.setFloors(keys.map((key) => ({ key, grant: 1, n: 1, keptUntil: 5 }))),
      );
      assert.equal(
        dialect.records(await client.read(dialect.get(keys, { values: true, current: true }), limit())).length,
        keys.length,
      );
      await client.write(() => dialect.set(keys.map(rowOf)), limit());
      for (const table of tables) {
        const [reply] = await run(dialect.remove(table, keys));
        assert.equal(reply?.changed, keys.length, table);
      }
      await client.write(() => dialect.set(keys.map(rowOf)), limit());
    }

    // A plan that scans would meet them. With few rows and with many the server makes other plans.
    for (const theirs of [3, 2_000]) {
      void it(`are never touched by statements that do not name them, with ${theirs} of others locked`, async () => {
        const keys = Array.from({ length: theirs }, (_, i) => keyOf(2 * i + 1));
        for (let i = 0; i < theirs; i += 100) {
          const part = keys.slice(i, i + 100);
          await client.write(() => dialect.set(part.map(rowOf)), limit());
          await run(dialect.insertMissing("locks", part), dialect.insertMissing("floors", part));
        }
        for (const table of tables) await others.query(`ANALYZE TABLE ${names[table]}`);
        await others.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION");
        const odd = "MOD(CAST(SUBSTR(`key`, 5) AS UNSIGNED), 2) = 1";
        for (const table of tables) await others.query(`SELECT 1 FROM ${names[table]} WHERE ${odd} FOR UPDATE`);
        for (const count of [1, 2, 3, 50, 256]) await useAll(ours(count));
      });
    }

    void it("that others have inserted and not committed are found at once, and hold up nobody", async () => {
      const fresh = { space: orders, key: "fresh" };
      const insert = dialect.set([rowOf(fresh)]) as Statement & { readonly parts: readonly string[] };
      await others.query(`START TRANSACTION; ${insert.parts.join(";")}`);
      const began = performance.now();
      for (const keys of [[fresh], [...ours(50), fresh]]) {
        await assert.rejects(run(dialect.insertMissing("records", keys)), { failure: "busy", mayHaveWritten: false });
        await assert.rejects(
          client.write(() => dialect.set(keys.map(rowOf)), limit()),
          { failure: "busy", mayHaveWritten: false },
        );
        const [reply] = await run(dialect.lock("records", keys, { mode: "write", skip: true, values: false }));
        assert.ok(!dialect.records(reply as Reply).some(({ id }) => id.endsWith("fresh")));
      }
      // Six statements of which any that waits takes a second.
      assert.ok(performance.now() - began < 1_000);
    });

    void it("that others have removed and not committed are as locked as all others", async () => {
      const gone = { space: orders, key: "gone" };
      await client.write(() => dialect.set([rowOf(gone)]), limit());
      await others.query(
        `START TRANSACTION; DELETE FROM ${names.records} WHERE space = '${orders.id}' AND \`key\` = 'gone'`,
      );
      await run(dialect.insertMissing("records", [gone]));
      const [reply] = await run(dialect.lock("records", [gone], { mode: "write", skip: true, values: false }));
      assert.deepEqual(reply?.rows, []);
      await assert.rejects(
        client.write(() => dialect.set([rowOf(gone)]), limit()),
        { failure: "busy" },
      );
    });

    void it("of a client that says nothing for two seconds are free again", async () => {
      const key = { space: orders, key: "silent" };
      const silent = await client.transaction(limit(), "calls");
      await silent.run([dialect.insertMissing("records", [key]), dialect.insertMissing("locks", [key])]);
      const write = async (): Promise<void> => {
        try {
          await client.write(() => dialect.set([rowOf(key)]), limit());
        } catch (error) {
          assert.equal((error as { failure?: unknown }).failure, "busy");
          return write();
        }
      };
      await write();
      await assert.rejects(silent.commit([]), { failure: "lost" });
    });

    void it("that are over are swept a few at a time, and no grant below one of a lock that was swept", async () => {
      const keys = Array.from({ length: 30 }, (_, i) => ({ space: orders, key: `over ${i}` }));
      await run(
        ...tables.map((table) => dialect.insertMissing(table, keys)),
        dialect.setLocks(keys.map((key, i) => ({ key, body: "[1,[],[],[]]", grant: 1_000 + i, keptUntil: 5 }))),
        dialect.setFloors(keys.map((key) => ({ key, grant: 1, n: 1, keptUntil: 5 }))),
        dialect.set(keys.map((key) => ({ ...rowOf(key), end: { at: 5 } }))),
      );
      const held = `space = '${orders.id}' AND \`key\` = 'over 29'`;
      await others.query(`START TRANSACTION; SELECT 1 FROM ${names.locks} WHERE ${held} FOR UPDATE`);
      for (const table of tables) {
        let swept = 0;
        for (let n = 10; n === 10; swept += n) {
          const reply = await client.write(() => dialect.sweep(table, 10, 0), limit());
          n = dialect.removed(reply as Reply).count;
        }
        assert.ok(swept >= 29, `${table} ${swept}`);
      }
      const left = await client.read(
        { text: `SELECT \`key\` FROM ${names.locks} WHERE kept_until = 5`, values: [] },
        limit(),
      );
      assert.deepEqual(left.rows.map(String), ["over 29"]);
      const { forgotten } = dialect.time(await client.read(dialect.clock(), limit()));
      assert.ok(forgotten >= 1_028, String(forgotten));
    });
  });
}
