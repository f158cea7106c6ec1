import { connect, type Holdfast, type OwnConnection } from "holdfast";
import knex, { type Knex } from "knex";

/** What `within` takes, of a transaction of Knex, on Postgres, MySQL and MariaDB. Each `$1` becomes a `?` of Knex. */
export function connectionOf(tx: Pick<Knex, "raw">): OwnConnection {
  return {
    query: async (statement, values) => {
      const bindings: string[] = [];
      const text = statement.replaceAll(/\$(\d+)/g, (_, n: string) => {
        bindings.push(values[Number(n) - 1] as string);
        return "?";
      });
      return (await tx.raw(text, bindings)) as unknown;
    },
  };
}

/** Marks an order as paid, with its receipt, as the holder of its lock: all of it is committed, or nothing. */
export async function pay(hf: Holdfast, db: Knex, id: string): Promise<void> {
  const orders = hf.state<{ paid: boolean }>("orders");
  await hf.lock("orders").run(id, async (lease) =>
    db.transaction(async (tx) => {
      const connection = connectionOf(tx);
      await lease.checkWithin(connection);
      await orders.within(connection).update(id, (order) => ({ ...order, paid: true }));
      await tx("receipts").insert({ order_id: id });
    }),
  );
}

export async function main(url: string): Promise<void> {
  const db = knex({ client: url.startsWith("mysql:") ? "mysql2" : "pg", connection: url });
  const hf = await connect(url, { service: "shop" });
  try {
    await hf.state<{ paid: boolean }>("orders").save("knex", { paid: false });
    await pay(hf, db, "knex");
  } finally {
    await hf.close();
    await db.destroy();
  }
}
