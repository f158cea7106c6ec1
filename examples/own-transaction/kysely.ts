import { connect, type Holdfast, type OwnConnection } from "holdfast";
import { CompiledQuery, Kysely, PostgresDialect, type Transaction } from "kysely";
import { Pool } from "pg";

export interface Database {
  receipts: { order_id: string };
}

/** What `within` takes, of a transaction of Kysely, on any dialect. */
export function connectionOf<Db>(tx: Transaction<Db> | Kysely<Db>): OwnConnection {
  const plain = tx.withoutPlugins();
  return { query: async (statement, values) => plain.executeQuery(CompiledQuery.raw(statement, values)) };
}

/** Marks an order as paid, with its receipt, as the holder of its lock: all of it is committed, or nothing. */
export async function pay(hf: Holdfast, db: Kysely<Database>, id: string): Promise<void> {
  const orders = hf.state<{ paid: boolean }>("orders");
  await hf.lock("orders").run(id, async (lease) =>
    db.transaction().execute(async (tx) => {
      const connection = connectionOf(tx);
      await lease.checkWithin(connection);
      await orders.within(connection).update(id, (order) => ({ ...order, paid: true }));
      await tx.insertInto("receipts").values({ order_id: id }).execute();
    }),
  );
}

export async function main(url: string): Promise<void> {
  const pool = new Pool({ connectionString: url });
  pool.on("connect", (client) => client.on("error", console.error)); // else a lost connection ends the process
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  const hf = await connect(url, { service: "shop" });
  try {
    await hf.state<{ paid: boolean }>("orders").save("kysely", { paid: false });
    await pay(hf, db, "kysely");
  } finally {
    await hf.close();
    await db.destroy();
  }
}
