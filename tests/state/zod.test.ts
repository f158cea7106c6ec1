import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { memory, MemoryStateStore } from "../../src/entries/memory.ts";
import { isHoldfastError } from "../../src/entries/index.ts";

const order = z.object({ sku: z.string().trim(), quantity: z.number().int().default(1) });

test("a schema of zod types a store, checks what is saved, and gives what is kept", async () => {
  const backend = memory();
  const orders = new MemoryStateStore(backend, "orders", { schema: order });
  const bare = new MemoryStateStore(backend, "orders");

  await orders.save("1", { sku: " bolt ", quantity: 2 });
  const loaded: { sku: string; quantity: number } | undefined = await orders.load("1");
  assert.deepEqual(loaded, { sku: "bolt", quantity: 2 });
  assert.deepEqual(await bare.load("1"), { sku: "bolt", quantity: 2 });

  // @ts-expect-error: the schema wants a number
  const wrong = orders.save("2", { sku: "nut", quantity: "many" });
  await assert.rejects(wrong, (error) => isHoldfastError(error) && !error.message.includes("many"));
  assert.equal(await bare.load("2"), undefined);
  await backend.close();
});
