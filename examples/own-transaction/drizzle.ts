import { sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { pgTable, text } from "drizzle-orm/pg-core";
import { connect, type Holdfast, type OwnConnection } from "holdfast";
import { Pool } from "pg";

const receipts = pgTable("receipts", { orderId: text("order_id").primaryKey() });

/** What `within` takes, of a transaction of Drizzle. Each `$1` of a statement becomes a parameter of Drizzle's. */
export function connectionOf(tx: Pick<NodePgDatabase, "execute">): OwnConnection {
  return {
    query: async (statement, values) => {
      const parts = statement.split(/\$(\d+)/);
      return tx.execute(sql.join(parts.map((part, i) => (i % 2 ? sql`${values[Number(part) - 1]}` : sql.raw(part)))));
    },
  };
}

/** Marks an order as paid, with its receipt, as the holder of its lock: all of it is committed, or nothing. */
export async function pay(hf: Holdfast, db: NodePgDatabase, id: string): Promise<void> {
  const orders = hf.state<{ paid: boolean }>("orders");
  await hf.lock("orders").run(id, async (lease) =>
    db.transaction(async (tx) => {
      const connection = connectionOf(tx);
      await lease.checkWithin(connection);
      await orders.within(connection).update(id, (order) => ({ ...order, paid: true }));
      await tx.insert(receipts).values({ orderId: id });
    }),
  );
}

export async function main(url: string): Promise<void> {
  const pool = new Pool({ connectionString: url });
  pool.on("connect", (client) => client.on("error", console.error)); // else a lost connection ends the process
  const hf = await connect(url, { service: "shop" });
  try {
    await hf.state<{ paid: boolean }>("orders").save("drizzle", { paid: false });
    await pay(hf, drizzle({ client: pool }), "drizzle");
  } finally {
    await hf.close();
    await pool.end();
  }
}
