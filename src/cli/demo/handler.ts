import { setTimeout as sleep } from "node:timers/promises";

import type { HandlerContext } from "../../entries/each.ts";
import { accountKey, demoStore, orderKey, settle, type Account, type Order, type Settlement } from "./ledger.ts";

// The handler of the demo: what a user would write, but for the wait that stands for a call to the outside.

/** How long settling an order takes, in ms: from this, to twice as long. */
const work = 25;

/** Settles an order: books it on its account, and notes that it was settled. */
// oxlint-disable-next-line import/no-default-export -- `each` takes the default export of a module
export default async function settleOrder(order: Order, ctx: HandlerContext): Promise<void> {
  const accounts = ctx.state<Account>(demoStore);
  const settlements = ctx.state<Settlement>(demoStore);
  const account = await accounts.load(accountKey(order));
  await sleep(work + (order.order % work));
  await accounts.save(accountKey(order), settle(account, order));
  const before = await settlements.load(orderKey(order));
  await settlements.save(orderKey(order), { times: (before?.times ?? 0) + 1, by: process.pid });
}
