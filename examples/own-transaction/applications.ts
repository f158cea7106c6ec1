import { randomBytes } from "node:crypto";
import { sql, type SQL } from "drizzle-orm";
import { drizzle as drizzleMysql, type MySql2Database } from "drizzle-orm/mysql2";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import type { OwnConnection } from "holdfast";
import knex from "knex";
import { Kysely, MysqlDialect, PostgresDialect, sql as kyselySql } from "kysely";
import { createPool as createCallbackPool } from "mysql2";
import { createPool } from "mysql2/promise";
import { PrismaPg } from "@prisma/adapter-pg";
import { Pool } from "pg";
import * as drizzleMysqlExample from "./drizzle-mysql.ts";
import * as drizzleExample from "./drizzle.ts";
import { PrismaClient } from "./generated/client.ts";
import * as knexExample from "./knex.ts";
import * as kyselyExample from "./kysely.ts";
import * as prismaExample from "./prisma.ts";

/** A library, with a pool of connections to a server. */
export interface Library {
  /** What `within` must refuse: it leads to any connection of the pool. */
  readonly outside: OwnConnection;
  /** Begins a transaction in the library's own way. */
  begin(): Promise<Begun>;
  end(): Promise<unknown>;
}

export interface Begun {
  readonly own: OwnConnection;
  /** Runs a statement with the library, in the transaction. */
  run(text: string): Promise<unknown>;
  /** Ends the transaction in the library's own way. */
  commit(): Promise<unknown>;
  rollback(): Promise<unknown>;
}

const ignore = (): void => undefined; // whoever asks next is told
const enough = new Error(`roll back ${randomBytes(4).toString("hex")}`);

/** A transaction that a library runs a function in, to be ended from outside of that. */
async function begun<Tx>(
  transaction: (fn: (tx: Tx) => Promise<void>) => Promise<unknown>,
  make: (tx: Tx) => Pick<Begun, "own" | "run">,
): Promise<Begun> {
  return new Promise((resolve, reject) => {
    const ended = transaction(
      async (tx) =>
        new Promise<void>((succeed, fail) => {
          resolve({
            ...make(tx),
            async commit() {
              succeed();
              await ended;
            },
            async rollback() {
              fail(enough);
              await ended.catch((error: unknown) => {
                if (error !== enough) throw error;
              });
            },
          });
        }),
    );
    ended.catch(reject); // it did not begin
  });
}

function poolOf(url: string): Pool {
  const pool = new Pool({ connectionString: url, max: 60 });
  pool.on("error", ignore);
  pool.on("connect", (client) => client.on("error", ignore));
  return pool;
}

/** Each library on each server that the examples are for. */
export const libraries: Readonly<Record<string, (url: string) => Library>> = {
  drizzle(url) {
    const pool = poolOf(url);
    const db: NodePgDatabase = drizzle({ client: pool });
    const transaction = async (fn: (tx: Pick<NodePgDatabase, "execute">) => Promise<void>): Promise<void> =>
      db.transaction(fn);
    return drizzleOn(db, transaction, drizzleExample.connectionOf, async () => pool.end());
  },
  "drizzle-mysql": (url) => {
    const pool = createPool({ uri: url, connectionLimit: 60 });
    const db: MySql2Database = drizzleMysql({ client: pool });
    const transaction = async (fn: (tx: Pick<MySql2Database, "execute">) => Promise<void>): Promise<void> =>
      db.transaction(fn);
    return drizzleOn(db, transaction, drizzleMysqlExample.connectionOf, async () => pool.end());
  },
  kysely: (url) => kyselyOn(new Kysely({ dialect: new PostgresDialect({ pool: poolOf(url) }) })),
  "kysely-mysql": (url) =>
    kyselyOn(
      new Kysely({ dialect: new MysqlDialect({ pool: createCallbackPool({ uri: url, connectionLimit: 60 }) }) }),
    ),
  knex: (url) => knexOn("pg", url),
  "knex-mysql": (url) => knexOn("mysql2", url),
  prisma(url) {
    const pool = { connectionString: url, max: 60 };
    const prisma = new PrismaClient({
      adapter: new PrismaPg(pool, { onConnectionError: ignore, onPoolError: ignore }),
    });
    type Inside = Pick<PrismaClient, "$queryRawUnsafe" | "$executeRawUnsafe">;
    return {
      outside: prismaExample.connectionOf(prisma),
      begin: async () =>
        begun<Inside>(
          async (fn) => prisma.$transaction(fn, { maxWait: 60_000, timeout: 120_000 }),
          (tx) => ({
            own: prismaExample.connectionOf(tx),
            run: async (text) => tx.$executeRawUnsafe(text),
          }),
        ),
      end: async () => prisma.$disconnect(),
    };
  },
};

function drizzleOn<Tx extends { execute(query: SQL): PromiseLike<unknown> }>(
  db: Tx,
  transaction: (fn: (tx: Tx) => Promise<void>) => Promise<unknown>,
  connectionOf: (tx: Tx) => OwnConnection,
  end: Library["end"],
): Library {
  return {
    outside: connectionOf(db),
    begin: async () =>
      begun(transaction, (tx) => ({
        own: connectionOf(tx),
        run: async (text) => tx.execute(sql.raw(text)),
      })),
    end,
  };
}

function kyselyOn(db: Kysely<unknown>): Library {
  return {
    outside: kyselyExample.connectionOf(db),
    async begin() {
      const tx = await db.startTransaction().execute();
      return {
        own: kyselyExample.connectionOf(tx),
        run: async (text) => kyselySql.raw(text).execute(tx),
        commit: async () => tx.commit().execute(),
        rollback: async () => tx.rollback().execute(),
      };
    },
    end: async () => db.destroy(),
  };
}

function knexOn(client: "pg" | "mysql2", connection: string): Library {
  const db = knex({ client, connection, pool: { min: 0, max: 60 } });
  return {
    outside: knexExample.connectionOf(db),
    async begin() {
      const tx = await db.transaction();
      return {
        own: knexExample.connectionOf(tx),
        run: async (text) => (await tx.raw(text)) as unknown,
        commit: async () => tx.commit(),
        rollback: async () => tx.rollback(),
      };
    },
    end: async () => db.destroy(),
  };
}
