import assert from "node:assert/strict";
import type { Holdfast } from "../../../src/entries/index.ts";
import { until } from "../../support/servers/until.ts";

/** Does what needs rights, with two instances. */
export async function useAll(one: Holdfast, two: Holdfast): Promise<void> {
  const orders = one.state<{ paid: boolean }>("orders");
  const watch = new AbortController();
  const watches = one.capabilities.watch !== "none";
  const changes = watches ? await orders.watch({ initial: true, signal: watch.signal }) : undefined;
  const first = changes?.[Symbol.asyncIterator]().next();
  await one.lock("orders").run("1", async (lease) => {
    await orders.save("1", { paid: false }, { lease, ttl: "1h" });
    await orders.update("1", () => ({ paid: true }));
  });
  if (first) assert.equal((await first).done, false);
  watch.abort();
  await one.transact(async (tx) => {
    await tx.load(orders, "1");
    tx.save(orders, "{1}b", { paid: true });
  });
  const keys: string[] = [];
  for await (const { key } of orders.list()) keys.push(key);
  assert.deepEqual(keys.toSorted(), ["1", "{1}b"]);

  const held = await one.lock("orders").acquire("1", { ttl: "10s" });
  const waiting = two.lock("orders").acquire("1", { ttl: "10s", wait: "10s" });
  await until("the waiter", async () => (await one.lock("orders").inspect("1"))?.waiting === 1);
  await held.release();
  await (await waiting).release();
  await one.lock("orders").runOnce("payment", async () => 1, { keep: "1h" });

  const prices = one.cache<number>("prices", { ttl: "1h" });
  await prices.getOrSet("btc", async ({ set }) => {
    set({ tags: ["crypto"] });
    return 1;
  });
  await prices.invalidateTags(["crypto"]);
  assert.equal(await two.cache<number>("prices", { ttl: "1h" }).get("btc"), undefined);
}
