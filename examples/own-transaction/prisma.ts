import { PrismaPg } from "@prisma/adapter-pg";
import { connect, type Holdfast, type OwnConnection } from "holdfast";
import { PrismaClient } from "./generated/client.ts";

/** What `within` takes, of an interactive transaction of Prisma. */
export function connectionOf(tx: Pick<PrismaClient, "$queryRawUnsafe">): OwnConnection {
  return { query: async (statement, values) => tx.$queryRawUnsafe(statement, ...values) };
}

/** Marks an order as paid, with its receipt, as the holder of its lock: all of it is committed, or nothing. */
export async function pay(hf: Holdfast, prisma: PrismaClient, id: string): Promise<void> {
  const orders = hf.state<{ paid: boolean }>("orders");
  await hf.lock("orders").run(id, async (lease) =>
    prisma.$transaction(async (tx) => {
      const connection = connectionOf(tx);
      await lease.checkWithin(connection);
      await orders.within(connection).update(id, (order) => ({ ...order, paid: true }));
      await tx.receipt.create({ data: { orderId: id } });
    }),
  );
}

export async function main(url: string): Promise<void> {
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) });
  const hf = await connect(url, { service: "shop" });
  try {
    await hf.state<{ paid: boolean }>("orders").save("prisma", { paid: false });
    await pay(hf, prisma, "prisma");
  } finally {
    await hf.close();
    await prisma.$disconnect();
  }
}
