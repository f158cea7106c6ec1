import { sql } from "drizzle-orm";
import { mysqlTable, varchar } from "drizzle-orm/mysql-core";
import { drizzle, type MySql2Database } from "drizzle-orm/mysql2";
import { connect, type Holdfast, type OwnConnection } from "holdfast";
import { createPool } from "mysql2/promise";

const receipts = mysqlTable("receipts", { orderId: varchar("order_id", { length: 64 }).primaryKey() });

/** What `within` takes, of a transaction of Drizzle. On MySQL statements have no parameters. */
export function connectionOf(tx: Pick<MySql2Database, "execute">): OwnConnection {
  return { query: async (statement) => tx.execute(sql.raw(statement)) };
}

/** Marks an order as paid, with its receipt, as the holder of its lock: all of it is committed, or nothing. */
export async function pay(hf: Holdfast, db: MySql2Database, id: string): Promise<void> {
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
  const pool = createPool({ uri: url });
  const hf = await connect(url, { service: "shop" });
  try {
    await hf.state<{ paid: boolean }>("orders").save("drizzle-mysql", { paid: false });
    await pay(hf, drizzle({ client: pool }), "drizzle-mysql");
  } finally {
    await hf.close();
    await pool.end();
  }
}
