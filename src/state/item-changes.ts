import { InvalidArgumentError } from "../base/errors.ts";
import type { Entry } from "./entry.ts";
import type { Item } from "./items.ts";
import type { Ledger } from "./ledger.ts";
import type { Change } from "./modify.ts";
import { checkKeepTtl, resolveEnd, type EndOptions } from "./options.ts";
import { KEEP, REMOVE } from "./symbols.ts";

/** How often a call is tried that other calls of the same transaction undo. */
const mostTries = 1_000;

/** Options of `upsert` in a transaction. */
export interface TransactionUpsertOptions extends EndOptions {
  /**
   * Whether `ttl` and `expiresAt` are for a new entry only. An existing entry then keeps what remains of its life.
   * Default: false.
   */
  readonly keepTtl?: boolean | undefined;
}

/** The value of an item as its transaction sees it. */
export async function valueOf<T>(ledger: Ledger, item: Item<T>): Promise<T | undefined> {
  for (let wait = ledger.ready(item); wait; wait = ledger.ready(item)) await wait;
  return item.value();
}

/** Lets a function decide about an item. */
export async function modifyItem<T>(
  ledger: Ledger,
  item: Item<T>,
  change: Change<T>,
  options: TransactionUpsertOptions | undefined,
): Promise<Entry<T> | undefined> {
  const { key } = item.key;
  const keepTtl = checkKeepTtl(options);
  const end = resolveEnd(options, "keep" as const);
  for (let tries = 0; tries < mostTries; tries++) {
    const current = await valueOf(ledger, item);
    const { revision } = item;
    const next = await change(current);
    if (item.revision !== revision) continue;
    if (next === KEEP) return item.exists ? item.entry((await item.value()) as T) : undefined;
    if (next === REMOVE) {
      if (item.exists) ledger.put(item, null, undefined);
      return undefined;
    }
    if (next === undefined) {
      throw new InvalidArgumentError("the function returned undefined: return the new value, KEEP or REMOVE", { key });
    }
    const encoded = await item.core.values.encode(next, key);
    if (item.revision !== revision) continue;
    const keeps = end === "keep" || (keepTtl && item.exists);
    ledger.put(item, encoded, keeps ? item.remainder : end);
    return item.entry(item.core.values.reopen(encoded.payload, key));
  }
  throw new InvalidArgumentError("the function of an update must not write the same key itself", { key });
}

/** Deletes the entry of an item, and gives it. */
export async function takeItem<T>(ledger: Ledger, item: Item<T>): Promise<Entry<T> | undefined> {
  for (let tries = 0; tries < mostTries; tries++) {
    await known(ledger, item);
    if (!item.exists) return undefined;
    const { revision } = item;
    const value = (await item.value()) as T;
    // Another call of the transaction may have taken or written it meanwhile.
    if (item.revision !== revision) continue;
    const entry = item.entry(value);
    ledger.put(item, null, undefined);
    return entry;
  }
  throw new InvalidArgumentError("other calls of the transaction kept writing the key", { key: item.key.key });
}

/** Gives the entry of an item another ttl, in ms. Whether there is an entry. */
export async function touchItem<T>(ledger: Ledger, item: Item<T>, ttl: number | undefined): Promise<boolean> {
  await known(ledger, item);
  const { write, record } = item;
  if (write) ledger.put(item, write, ttl);
  else if (record && write === undefined) ledger.put(item, { id: record.id, payload: record.value }, ttl);
  return item.exists;
}

/** Resolves when the record of an item is known. Code that follows at once finds it so. */
async function known<T>(ledger: Ledger, item: Item<T>): Promise<void> {
  for (let wait = ledger.ready(item); wait; wait = ledger.ready(item)) await wait;
}
