import { connect } from "holdfast";
import { isPostgres, POOL } from "./clients.ts";

/** A lock as the benchmarks use it. */
export interface LockPeer {
  /** Waits for the key; what it gives releases it. */
  acquire(key: string): Promise<() => Promise<unknown>>;
  close(): Promise<unknown>;
}

const TTL_MS = 30_000;

/** Every lock that is measured, by the name in the tables. */
export const lockPeers: Readonly<Record<string, (url: string) => Promise<LockPeer>>> = {
  holdfast: async (url) => {
    const hf = await connect(url, { service: "bench" });
    const lock = hf.lock("bench", { wait: "10m" });
    return {
      async acquire(key) {
        const lease = await lock.acquire(key);
        return () => lease.release();
      },
      close: () => hf.close(),
    };
  },
  /** The lock that the server has of its own: held by a connection for as long as it is out of the pool. */
  "own lock of the server": async (url) => (isPostgres(url) ? advisoryLock(url) : getLock(url)),
  verrou: async (url) => {
    const { Verrou } = await import("@verrou/core");
    const { knexStore } = await import("@verrou/core/drivers/knex");
    const { default: knex } = await import("knex");
    const connection = knex({
      client: isPostgres(url) ? "pg" : "mysql2",
      connection: url.replace(/^mariadb:/, "mysql:"),
      pool: { min: 0, max: POOL },
    });
    const verrou = new Verrou({
      default: "sql",
      stores: { sql: { driver: knexStore({ connection, tableName: "bench_verrou" }) } },
    });
    return {
      async acquire(key) {
        const lock = verrou.createLock(key, TTL_MS);
        const isHeld = await throughDeadlocks(async () => lock.acquire({ retry: { delay: 5 } }));
        if (!isHeld) throw new Error("verrou gave up");
        return () => throughDeadlocks(async () => lock.release());
      },
      close: () => connection.destroy(),
    };
  },
};

/** Its statements run into deadlocks on MySQL and MariaDB, which it leaves to its callers. */
async function throughDeadlocks<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if ((error as { readonly code?: unknown }).code !== "ER_LOCK_DEADLOCK") throw error;
    }
  }
}

async function advisoryLock(url: string): Promise<LockPeer> {
  const { Pool } = await import("pg");
  const pool = new Pool({ connectionString: url, max: POOL });
  return {
    async acquire(key) {
      const client = await pool.connect();
      await client.query({ name: "lock", text: "SELECT pg_advisory_lock(hashtextextended($1, 0))", values: [key] });
      return async () => {
        await client.query({
          name: "unlock",
          text: "SELECT pg_advisory_unlock(hashtextextended($1, 0))",
          values: [key],
        });
        client.release();
      };
    },
    close: () => pool.end(),
  };
}

async function getLock(url: string): Promise<LockPeer> {
  const { createPool } = await import("mysql2/promise");
  const pool = createPool({ uri: url.replace(/^mariadb:/, "mysql:"), connectionLimit: POOL });
  return {
    async acquire(key) {
      const connection = await pool.getConnection();
      await connection.execute("SELECT GET_LOCK(?, 600)", [key]);
      return async () => {
        await connection.execute("SELECT RELEASE_LOCK(?)", [key]);
        connection.release();
      };
    },
    close: () => pool.end(),
  };
}
