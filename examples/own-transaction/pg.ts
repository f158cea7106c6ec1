import { connect, type Holdfast } from "holdfast";
import { Pool } from "pg";

/** Marks an order as paid, with its receipt, as the holder of its lock: all of it is committed, or nothing. */
export async function pay(hf: Holdfast, pool: Pool, id: string): Promise<void> {
  const orders = hf.state<{ paid: boolean }>("orders");
  await hf.lock("orders").run(id, async (lease) => {
    const client = await pool.connect();
    try {
      await client.query("BEGIN");
      await lease.checkWithin(client);
      await orders.within(client).update(id, (order) => ({ ...order, paid: true }));
      await client.query("INSERT INTO receipts (order_id) VALUES ($1)", [id]);
      await client.query("COMMIT");
      client.release();
    } catch (error) {
      const destroy = (why: Error): void => client.release(why);
      await client.query("ROLLBACK").then(() => client.release(), destroy);
      throw error;
    }
  });
}

export async function main(url: string): Promise<void> {
  const pool = new Pool({ connectionString: url });
  pool.on("connect", (client) => client.on("error", console.error)); // else a lost connection ends the process
  const hf = await connect(url, { service: "shop" });
  try {
    await hf.state<{ paid: boolean }>("orders").save("pg", { paid: false });
    await pay(hf, pool, "pg");
  } finally {
    await hf.close();
    await pool.end();
  }
}
