// node --test conformance.test.ts, with POSTGRES_URL and MYSQL_URL: what the state suite asks of own transactions, on
// what each library gives to `within`.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { connect, isHoldfastError, type OwnConnection } from "holdfast";
import { mysql } from "holdfast/mysql";
import { postgres } from "holdfast/postgres";
import { bindSuite, placeOf, stateCases, type Application, type BoundCase, type Place } from "holdfast/testing";
import { createConnection } from "mysql2/promise";
import { Client } from "pg";
import { libraries, type Begun, type Library } from "./applications.ts";

interface Admin {
  /** Gives the first column. */
  query(text: string): Promise<readonly unknown[]>;
  end(): Promise<unknown>;
}

const urls = { postgres: process.env["POSTGRES_URL"] ?? "", mysql: process.env["MYSQL_URL"] ?? "" };

async function adminOf(server: keyof typeof urls): Promise<Admin> {
  if (server === "mysql") {
    const connection = await createConnection({ uri: urls.mysql, rowsAsArray: true });
    return {
      async query(text) {
        const [rows] = await connection.query(text);
        return Array.isArray(rows) ? rows.map((row) => (row as unknown[])[0]) : [];
      },
      end: async () => connection.end(),
    };
  }
  const client = new Client({ connectionString: urls.postgres });
  await client.connect();
  return {
    async query(text) {
      const { rows } = await client.query<unknown[]>({ text, rowMode: "array" });
      return rows.map(([first]) => first);
    },
    end: async () => client.end(),
  };
}

async function placeFor(name: string): Promise<Place> {
  const server = name.endsWith("-mysql") ? "mysql" : "postgres";
  const [url, prefix] = [urls[server], `t${randomBytes(6).toString("hex")}_`];
  const admin = await adminOf(server);
  const library = libraries[name]?.(url);
  if (!library) throw new Error(`no library ${name}`);
  const table = `${prefix}rows`;
  const place = placeOf(() => (server === "mysql" ? mysql({ url, prefix }) : postgres({ url, prefix })), {
    async remove() {
      await library.end();
      const like = `table_name LIKE '${prefix.replaceAll("_", "|_")}%' ESCAPE '|'`;
      for (const left of await admin.query(`SELECT table_name FROM information_schema.tables WHERE ${like}`)) {
        await admin.query(`DROP TABLE ${String(left)}`);
      }
      await admin.end();
    },
  });
  const application: Application = {
    rows: async () => (await admin.query(`SELECT name FROM ${table} ORDER BY name`)).map(String),
    async connect() {
      let begun: Begun | undefined;
      let id = "";
      const open = (): Begun => {
        if (!begun) throw new Error("no transaction is open");
        return begun;
      };
      return {
        get own() {
          return begun?.own ?? library.outside;
        },
        async run(text) {
          if (text === "BEGIN") {
            begun = await library.begin();
            id = await idOf(begun.own, server);
          } else if (text === "COMMIT" || text === "ROLLBACK") {
            const ended = open();
            begun = undefined;
            await (text === "COMMIT" ? ended.commit() : ended.rollback());
          } else await open().run(text);
        },
        insert: async (row) => void (await (begun?.run ?? admin.query)(`INSERT INTO ${table} VALUES ('${row}')`)),
        async cut() {
          await admin.query(server === "mysql" ? `KILL ${id}` : `SELECT pg_terminate_backend(${id})`);
          const alive =
            server === "mysql"
              ? `SELECT 1 FROM information_schema.processlist WHERE id = ${id}`
              : `SELECT 1 FROM pg_stat_activity WHERE pid = ${id}`;
          while ((await admin.query(alive)).length > 0);
        },
        async close() {
          await begun?.rollback().catch(() => undefined); // it was cut
          begun = undefined;
        },
      };
    },
  };
  return Object.assign(place, {
    async application() {
      await admin.query(`CREATE TABLE ${table} (name varchar(100) PRIMARY KEY)`);
      return application;
    },
  });
}

/** The server's number of a connection, in whatever a library puts rows. */
async function idOf(own: OwnConnection, server: keyof typeof urls): Promise<string> {
  const text = server === "mysql" ? "SELECT CONNECTION_ID() AS id" : "SELECT pg_backend_pid() AS id";
  const found = /"id":"?(\d+)/.exec(JSON.stringify(await own.query(text, [])))?.[1];
  if (found === undefined) throw new Error("no number of a connection");
  return found;
}

const cases = stateCases.filter(({ proves }) => proves.startsWith("own transactions: "));
const unit = Number(process.env["HOLDFAST_UNIT"] ?? 250);
const bound = new Map<string, readonly BoundCase[]>();
for (const name of Object.keys(libraries)) {
  bound.set(name, await bindSuite("state", cases, { name, unit, place: async () => placeFor(name) }));
}

void describe("own transactions", { concurrency: 4 }, () => {
  for (const [name, open] of Object.entries(libraries)) {
    void describe(name, () => {
      for (const { title, skip, run } of bound.get(name) ?? []) void it(title, { skip: skip ?? false }, run);
      if (!name.endsWith("-mysql")) void it("an error tells the code of the server", async () => errors(open));
    });
  }
});

async function errors(open: (url: string) => Library): Promise<void> {
  const hf = await connect(urls.postgres);
  const library = open(urls.postgres);
  const begun = await library.begin();
  await begun.run("SELECT 1/0").catch(() => undefined); // nothing works in the transaction any more
  await assert.rejects(hf.state<number>("errors").within(begun.own).save("k", 4711), (error: Error) => {
    assert.ok(isHoldfastError(error, "UNAVAILABLE"));
    const said = (error.cause as Error).cause as Error & { readonly code?: unknown };
    assert.equal(said.code, "25P02");
    assert.ok(!`${error.message}${said.message}`.includes("4711"));
    return true;
  });
  await begun.rollback();
  await library.end();
  await hf.close();
}
