import { connect } from "holdfast";
import KeyvMysql from "@keyv/mysql";
import KeyvPostgres from "@keyv/postgres";
import Keyv from "keyv";
import { createPool, type ResultSetHeader, type RowDataPacket } from "mysql2/promise";
import { Pool } from "pg";

/** What loads and saves one record, as the benchmarks use it. */
export interface Client {
  load(key: string): Promise<unknown>;
  save(key: string, value: unknown): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Connections of a raw pool: as many as most services give one. */
export const POOL = 10;

export function isPostgres(url: string): boolean {
  return url.startsWith("postgres");
}

/** Every client that is measured, by the name in the tables. */
export const clients = {
  async holdfast(url: string): Promise<Client> {
    const hf = await connect(url, { service: "bench" });
    const store = hf.state<unknown>("values");
    return {
      load: (key) => store.load(key),
      save: (key, value) => store.save(key, value),
      close: () => hf.close(),
    };
  },
  /** A pool of ten with prepared statements, as one writes it by hand: text in, text out. */
  async raw(url: string): Promise<Client> {
    return isPostgres(url) ? rawPostgres(url) : rawMysql(url);
  },
  async keyv(url: string): Promise<Client> {
    const store = isPostgres(url)
      ? new KeyvPostgres({ uri: url, max: POOL, table: "bench_keyv" })
      : new KeyvMysql({ uri: url.replace(/^mariadb:/, "mysql:"), table: "bench_keyv" });
    const keyv = new Keyv({ store });
    return {
      load: (key) => keyv.get(key),
      save: (key, value) => keyv.set(key, value),
      close: () => keyv.disconnect(),
    };
  },
} as const;

async function rawPostgres(url: string): Promise<Client> {
  const pool = new Pool({ connectionString: url, max: POOL });
  await pool.query("CREATE TABLE IF NOT EXISTS bench_raw (k text PRIMARY KEY, v text NOT NULL)");
  return {
    async load(key) {
      const query = { name: "load", text: "SELECT v FROM bench_raw WHERE k = $1", values: [key] };
      const { rows } = await pool.query<{ v: string }>(query);
      return rows[0] && (JSON.parse(rows[0].v) as unknown);
    },
    save: (key, value) =>
      pool.query({
        name: "save",
        text: "INSERT INTO bench_raw VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
        values: [key, JSON.stringify(value)],
      }),
    close: () => pool.end(),
  };
}

async function rawMysql(url: string): Promise<Client> {
  const pool = createPool({ uri: url.replace(/^mariadb:/, "mysql:"), connectionLimit: POOL });
  await pool.query("CREATE TABLE IF NOT EXISTS bench_raw (k VARCHAR(255) PRIMARY KEY, v LONGTEXT NOT NULL)");
  return {
    async load(key) {
      const [rows] = await pool.execute<(RowDataPacket & { v: string })[]>("SELECT v FROM bench_raw WHERE k = ?", [
        key,
      ]);
      return rows[0] && (JSON.parse(rows[0].v) as unknown);
    },
    save: (key, value) =>
      pool.execute<ResultSetHeader>("INSERT INTO bench_raw VALUES (?, ?) ON DUPLICATE KEY UPDATE v = VALUES(v)", [
        key,
        JSON.stringify(value),
      ]),
    close: () => pool.end(),
  };
}
