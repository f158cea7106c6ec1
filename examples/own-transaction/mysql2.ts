import { connect, type Holdfast } from "holdfast";
import { createPool, type Pool } from "mysql2/promise";

/** Marks an order as paid, with its receipt, as the holder of its lock: all of it is committed, or nothing. */
export async function pay(hf: Holdfast, pool: Pool, id: string): Promise<void> {
  const orders = hf.state<{ paid: boolean }>("orders");
  await hf.lock("orders").run(id, async (lease) => {
    const connection = await pool.getConnection();
    try {
      await connection.beginTransaction();
      await lease.checkWithin(connection);
      await orders.within(connection).update(id, (order) => ({ ...order, paid: true }));
      await connection.execute("INSERT INTO receipts (order_id) VALUES (?)", [id]);
      await connection.commit();
      connection.release();
    } catch (error) {
      const destroy = (): void => connection.destroy();
      await connection.rollback().then(() => connection.release(), destroy);
      throw error;
    }
  });
}

export async function main(url: string): Promise<void> {
  const pool = createPool({ uri: url });
  const hf = await connect(url, { service: "shop" });
  try {
    await hf.state<{ paid: boolean }>("orders").save("mysql2", { paid: false });
    await pay(hf, pool, "mysql2");
  } finally {
    await hf.close();
    await pool.end();
  }
}
