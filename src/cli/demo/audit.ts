import type { Holdfast } from "../../entries/index.ts";
import { accountKey, demoStore, orderKey, settle, type Account, type Order, type Settlement } from "./ledger.ts";

/** Records loaded at a time. */
const atOnce = 500;

/** What the books say, beside what a serial run would have written. */
export interface Audit {
  readonly orders: number;
  readonly settledOnce: number;
  readonly missing: number;
  /** Settled more than once. */
  readonly doubled: number;
  readonly accounts: number;
  /** Accounts whose balance, number or order of orders is another than after a serial run. */
  readonly wrongAccounts: number;
  readonly total: number;
  readonly expectedTotal: number;
  /** All of the above that should be zero. */
  readonly differences: number;
}

/** Compares the stored books with the orders, one after the other. */
export async function auditBooks(hf: Holdfast, orders: readonly Order[]): Promise<Audit> {
  const settlements = await loadAll<Settlement>(hf, orders.map(orderKey));
  const expected = new Map<string, Account>();
  for (const order of orders) expected.set(accountKey(order), settle(expected.get(accountKey(order)), order));
  const accounts = await loadAll<Account>(hf, [...expected.keys()]);
  let missing = 0;
  let doubled = 0;
  for (const order of orders) {
    const times = settlements.get(orderKey(order))?.times ?? 0;
    if (times === 0) missing++;
    else if (times > 1) doubled++;
  }
  let wrongAccounts = 0;
  let total = 0;
  let expectedTotal = 0;
  for (const [key, right] of expected) {
    const found = accounts.get(key);
    total += found?.balance ?? 0;
    expectedTotal += right.balance;
    const same = found?.balance === right.balance && found.orders === right.orders && found.chain === right.chain;
    if (!same) wrongAccounts++;
  }
  const settledOnce = orders.length - missing - doubled;
  const differences = missing + doubled + wrongAccounts;
  return {
    orders: orders.length,
    settledOnce,
    missing,
    doubled,
    accounts: expected.size,
    wrongAccounts,
    total,
    expectedTotal,
    differences,
  };
}

async function loadAll<T>(hf: Holdfast, keys: readonly string[]): Promise<Map<string, T>> {
  const found = new Map<string, T>();
  for (let i = 0; i < keys.length; i += atOnce) {
    for (const [key, value] of await hf.state<T>(demoStore).loadMany(keys.slice(i, i + atOnce))) found.set(key, value);
  }
  return found;
}
