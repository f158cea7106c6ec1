import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createConnection as connectWithCallbacks } from "mysql2";
import mysql, { type Connection, type ConnectionOptions } from "mysql2/promise";
import { rejection } from "../../support/rejection.ts";
import { Instance } from "../../../src/client/index.ts";
import { mysqlBackend } from "../../../src/backends/mysql/index.ts";
import { Lock } from "../../../src/lock/index.ts";
import type { Backend } from "../../../src/port/index.ts";
import { StateStore } from "../../../src/state/index.ts";
import { lacks, type SqlServer } from "../../support/sql/kinds.ts";
import { drawPrefix } from "../../support/sql/place.ts";
import { sharedServer } from "../../support/sql/shared.ts";
import { until } from "../../support/servers/until.ts";

// What own transactions are on MySQL and MariaDB alone. What they are everywhere is in the suite of states.

for (const kind of ["mysql", "mariadb"] as const) {
  describe(`own transactions on ${kind}`, { skip: lacks(kind) }, () => {
    let server: SqlServer;
    let instance: Instance;
    let store: StateStore<number>;
    let other: StateStore<number>;
    let prefix: string;
    const backends: Backend[] = [];
    const instances: Instance[] = [];
    const connections: Connection[] = [];

    function makeInstance(): Instance {
      const backend = mysqlBackend({ url: server.url, prefix });
      backends.push(backend);
      const made = new Instance(backend, { timeout: 20_000 });
      instances.push(made);
      return made;
    }

    async function begin(level = "REPEATABLE READ", options: ConnectionOptions = {}): Promise<Connection> {
      const connection = await mysql.createConnection({ uri: server.url, ...options });
      connection.on("error", () => undefined); // whoever asks next is told
      connections.push(connection);
      await connection.query(`SET TRANSACTION ISOLATION LEVEL ${level}`);
      await connection.query("START TRANSACTION");
      return connection;
    }

    before(async () => {
      server = await sharedServer(kind);
      prefix = drawPrefix();
      instance = makeInstance();
      [store, other] = [new StateStore<number>(instance, "own"), new StateStore<number>(makeInstance(), "own")];
      await store.load("first");
    });
    after(async () => {
      await Promise.all(connections.map(async (connection) => connection.end().catch(() => connection.destroy())));
      for (const one of instances) await one.close(0);
      await Promise.all(backends.map(async (backend) => backend.close()));
    });

    for (const level of ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]) {
      it(`at ${level} twenty at once change an entry exactly, and make one`, async () => {
        const changes = Array.from({ length: 20 }, async () => {
          const connection = await begin(level);
          // Of two who read it at SERIALIZABLE before they write it, one is rolled back: it is tried again.
          for (;;) {
            try {
              await store.within(connection).upsert(`level ${level}`, (n) => (n ?? 0) + 1);
              return await connection.query("COMMIT");
            } catch (error) {
              assert.equal(codeIn(error), 1213, String(error));
              await connection.query("ROLLBACK");
              await connection.query(`SET TRANSACTION ISOLATION LEVEL ${level}`);
              await connection.query("START TRANSACTION");
            }
          }
        });
        await Promise.all(changes);
        assert.equal(await other.load(`level ${level}`), 20);
      });
    }

    it("sees a change that another has committed since its snapshot only where it writes", async () => {
      await store.save("snapshot", 1);
      const connection = await begin();
      const own = store.within(connection);
      const entry = await own.loadEntry("snapshot");
      await other.save("snapshot", 2);
      assert.equal(await own.load("snapshot"), 1);
      await rejection(own.save("snapshot", 9, { if: entry as never }), "CONFLICT");
      assert.equal((await own.update("snapshot", (n) => n + 1))?.value, 3);
      assert.equal((await own.take("snapshot"))?.value, 3);
      await connection.query("COMMIT");
      assert.equal(await other.load("snapshot"), undefined);
    });

    it("waits as innodb_lock_wait_timeout says, and leaves it as it was", async () => {
      const first = await begin();
      await store.within(first).save("waits", 1);
      const second = await begin();
      await second.query("SET SESSION innodb_lock_wait_timeout = 1");
      const error = await rejection(store.within(second).save("waits", 2), "UNAVAILABLE");
      assert.equal(codeIn(error), 1205);
      await second.query("ROLLBACK");
      for (const given of [1, 7, 100]) {
        await second.query("START TRANSACTION");
        await second.query(`SET SESSION innodb_lock_wait_timeout = ${given}`);
        await store.within(second).save("else", 1, { timeout: "5s" });
        await rejection(store.within(second).save("else", 1, { if: { absent: true } }), "CONFLICT");
        const [rows] = await second.query("SELECT @@innodb_lock_wait_timeout AS seconds");
        assert.deepEqual(rows, [{ seconds: given }]);
        await second.query("ROLLBACK");
      }
      await first.query("ROLLBACK");
    });

    it("leaves the settings of the session as they were when a call is given up while it waits", async () => {
      const settings = "@@innodb_lock_wait_timeout AS waits, @@sql_safe_updates AS safe";
      const first = await begin();
      await store.within(first).save("given up", 1);
      const second = await begin();
      await second.query("SET SESSION innodb_lock_wait_timeout = 33, sql_safe_updates = 1");
      const stop = new AbortController();
      const own = {
        query(text: string) {
          const asked = second.query(text);
          if (text.startsWith("INSERT")) stop.abort(new Error("enough"));
          return asked;
        },
      };
      await rejection(store.within(own).save("given up", 2, { signal: stop.signal }), "INDETERMINATE");
      await first.query("ROLLBACK");
      await second.query("ROLLBACK");
      await until("they are set back", async () => {
        const [rows] = await second.query(`SELECT ${settings}`);
        const [{ waits, safe }] = rows as unknown as [{ waits: number; safe: number }];
        return waits === 33 && safe === 1;
      });
    });

    it("writes nothing more once a deadlock has rolled the transaction back", async () => {
      const [one, two] = [await begin(), await begin()];
      const owns = [store.within(one), store.within(two)];
      await owns[0]?.save("a", 1);
      await owns[1]?.save("b", 2);
      const ends = await Promise.all(
        [owns[0]?.save("b", 1), owns[1]?.save("a", 2)].map(async (saving, i) => {
          const connection = i === 0 ? one : two;
          try {
            await saving;
            await connection.query("COMMIT");
            return undefined;
          } catch (error) {
            await rejection(owns[i]?.save("c", 1) ?? Promise.resolve(), "INVALID_ARGUMENT");
            return codeIn(error);
          }
        }),
      );
      assert.deepEqual(new Set(ends), new Set([1213, undefined]));
      assert.equal(await other.load("a"), await other.load("b"));
      assert.equal(await other.load("c"), undefined);
    });

    it("takes connections of callbacks, and of every setting", async () => {
      const called = connectWithCallbacks({ uri: server.url });
      await new Promise<void>((resolve, reject) =>
        called.query("START TRANSACTION", (error) => (error ? reject(error) : resolve())),
      );
      await store.within(called).save("called", 1, { if: { absent: true } });
      await new Promise<void>((resolve, reject) =>
        called.query("COMMIT", (error) => (error ? reject(error) : resolve())),
      );
      called.destroy();
      assert.equal(await other.load("called"), 1);

      const settings: readonly ConnectionOptions[] = [
        { supportBigNumbers: true, bigNumberStrings: true },
        { rowsAsArray: true },
        { namedPlaceholders: true, dateStrings: true },
        { typeCast: (field, next) => (field.type === "LONGLONG" ? field.string() : next()) },
      ];
      for (const [i, options] of settings.entries()) {
        const connection = await begin(undefined, options);
        await connection.query("SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'");
        await connection.query("SET SESSION sql_safe_updates = 1, time_zone = '+05:30'");
        await connection.query("SET NAMES latin1");
        const odd = new StateStore<string>(instance, "odd").within(connection);
        const text = `é'"\\ \u0000 \u{1F600} ${i}`;
        const version = await odd.save(text, text, { ttl: "1h", if: { absent: true } });
        assert.equal((await odd.loadEntry(text))?.version, version);
        assert.equal(await odd.touch(text, "never", { if: { version } }), true);
        await rejection(odd.save("none", "x", { if: { version } }), "CONFLICT");
        assert.equal((await odd.take(text))?.value, text);
        await odd.save(text, text);
        await connection.query("COMMIT");
        assert.equal(await new StateStore<string>(makeInstance(), "odd").load(text), text);
      }
    });

    it("runs calls at once one after another, by whichever part of the driver a connection is given", async () => {
      const called = connectWithCallbacks({ uri: server.url });
      called.on("error", () => undefined);
      const promised = called.promise();
      await promised.query("SET SESSION innodb_lock_wait_timeout = 33");
      await store.save("parts", 0);
      await promised.query("START TRANSACTION");
      const parts = [called, promised, called.promise(), called, promised, called.promise()];
      await Promise.all(parts.map(async (part) => store.within(part).update("parts", (n) => n + 1)));
      await promised.query("COMMIT");
      assert.equal(await other.load("parts"), parts.length);
      const [rows] = await promised.query("SELECT @@innodb_lock_wait_timeout AS seconds");
      assert.deepEqual(rows, [{ seconds: 33 }]);
      called.destroy();
    });

    it("a lease stays its holder's until the transaction ends, though it cannot be renewed meanwhile", async () => {
      const connection = await begin();
      const lease = await new Lock(instance, "own").acquire("pinned", { ttl: 1_500 });
      await lease.checkWithin(connection);
      let committed = false;
      const next = new Lock(makeInstance(), "own").acquire("pinned", { wait: "20s", timeout: "20s" }).then((late) => {
        assert.ok(committed, "granted before the commit");
        return late;
      });
      await connection.query("SELECT SLEEP(2.5)");
      await store.within(connection).save("pinned", 1);
      committed = true;
      await connection.query("COMMIT");
      await (await next).release();
      await lease.release();
      assert.equal(await other.load("pinned"), 1);
    });
  });
}

/** The server's number of the error that an error comes from. */
function codeIn(error: unknown): unknown {
  const cause = ((error as Error).cause as Error | undefined)?.cause;
  return (cause as { readonly errno?: unknown } | undefined)?.errno;
}
