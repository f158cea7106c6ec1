import mysql from "mysql2/promise";
import { Client } from "pg";
import type { Application, ApplicationConnection } from "../../../src/testing/suite.ts";

/** An application with a table of its own, and what closes it. */
export interface TestApplication extends Application {
  close(): Promise<void>;
}

/** What an application does with a connection of its driver. */
interface Driver {
  /** Gives the first column of the rows. */
  query(sql: string): Promise<readonly unknown[]>;
  readonly own: ApplicationConnection["own"];
  /** The server's number of the connection. */
  id(): Promise<number>;
  /** What ends a connection, and whether there is one. */
  readonly kill: (id: number) => string;
  readonly alive: (id: number) => string;
  end(): Promise<void>;
}

/** An application on Postgres, with its rows in the table `<prefix>rows`. */
export async function postgresApplication(url: string, prefix: string): Promise<TestApplication> {
  return applicationOf(`${prefix}rows`, "text", async () => {
    const client = new Client({ connectionString: url });
    client.on("error", () => undefined); // whoever asks next is told
    await client.connect();
    const query = async (sql: string): Promise<readonly unknown[]> => {
      const { rows } = await client.query<unknown[]>({ text: sql, rowMode: "array" });
      return rows.map(([first]) => first);
    };
    return {
      query,
      own: client,
      id: async () => Number((await query("SELECT pg_backend_pid()"))[0]),
      kill: (id) => `SELECT pg_terminate_backend(${id})`,
      alive: (id) => `SELECT 1 FROM pg_stat_activity WHERE pid = ${id}`,
      end: async () => client.end(),
    };
  });
}

/** An application on MySQL or MariaDB. */
export async function mysqlApplication(url: string, prefix: string): Promise<TestApplication> {
  return applicationOf(`${prefix}rows`, "varchar(100)", async () => {
    const connection = await mysql.createConnection({ uri: url });
    connection.on("error", () => undefined); // whoever asks next is told
    const query = async (sql: string): Promise<readonly unknown[]> => {
      const [rows] = await connection.query({ sql, rowsAsArray: true });
      return Array.isArray(rows) ? rows.map((row) => (row as unknown[])[0]) : [];
    };
    return {
      query,
      own: connection,
      id: async () => Number((await query("SELECT CONNECTION_ID()"))[0]),
      kill: (id) => `KILL ${id}`,
      alive: (id) => `SELECT 1 FROM information_schema.processlist WHERE id = ${id}`,
      end: async () => connection.end().catch(() => connection.destroy()),
    };
  });
}

async function applicationOf(table: string, type: string, connect: () => Promise<Driver>): Promise<TestApplication> {
  const own = await connect();
  const open = new Set<Driver>([own]);
  await own.query(`CREATE TABLE ${table} (name ${type} PRIMARY KEY)`);
  return {
    async connect() {
      const driver = await connect();
      open.add(driver);
      let id = 0;
      return {
        own: driver.own,
        async run(sql) {
          await driver.query(sql);
          // A pooler gives each transaction another connection.
          if (sql === "BEGIN") id = await driver.id();
        },
        insert: async (row) => void (await driver.query(`INSERT INTO ${table} VALUES ('${row}')`)),
        async cut() {
          await own.query(driver.kill(id));
          while ((await own.query(driver.alive(id))).length > 0);
        },
        async close() {
          open.delete(driver);
          await driver.end();
        },
      };
    },
    rows: async () => (await own.query(`SELECT name FROM ${table} ORDER BY name`)).map(String),
    async close() {
      await Promise.all([...open].map(async (driver) => driver.end()));
    },
  };
}
