import { createWriteStream } from "node:fs";
import { once } from "node:events";

/** Orders of a ledger lie on so many accounts. */
const accounts = 120;

/** One order, as a line of the input. */
export interface Order {
  readonly order: number;
  readonly account: string;
  /** In cents; negative takes from the account. */
  readonly amount: number;
  /** Which ledger it is of: parts the records of several demos on one store. */
  readonly ledger: string;
}

/** What an order leaves behind. */
export interface Settlement {
  /** How often it was settled. */
  readonly times: number;
  /** The process that did it last. */
  readonly by: number;
}

/** What an account has come to. */
export interface Account {
  readonly balance: number;
  readonly orders: number;
  /** A chain over the numbers of its orders, which tells their order. */
  readonly chain: number;
}

/** The state store that the demo's records are in. */
export const demoStore = "holdfast-demo";

// Both have the tag of their account, which is the key of the items: so they are in one place of a store that has
// several.

export function accountKey({ ledger, account }: Order): string {
  return `${ledger}/account/{${account}}`;
}

export function orderKey({ ledger, order, account }: Order): string {
  return `${ledger}/order/${order}{${account}}`;
}

/** An account after one more order. */
export function settle(account: Account | undefined, { order, amount }: Order): Account {
  const { balance, orders, chain } = account ?? { balance: 0, orders: 0, chain: 7 };
  return { balance: balance + amount, orders: orders + 1, chain: (chain * 31 + order) % 1_000_003 };
}

/** The orders of a seed: the same seed gives the same ledger. */
export function* makeOrders(count: number, seed: number, ledger: string): Generator<Order> {
  const random = randomFrom(seed);
  for (let order = 1; order <= count; order++) {
    const account = `A-${String(1 + Math.floor(random() * accounts)).padStart(3, "0")}`;
    yield { order, account, amount: Math.floor(random() * 200_000) - 80_000, ledger };
  }
}

/** Writes orders to a file, one JSON value a line. */
export async function writeOrders(orders: Iterable<Order>, path: string): Promise<void> {
  const out = createWriteStream(path);
  for (const order of orders) if (!out.write(`${JSON.stringify(order)}\n`)) await once(out, "drain");
  out.end();
  await once(out, "close");
}

/** Numbers from 0 to 1, by mulberry32: small and good enough for a show. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
