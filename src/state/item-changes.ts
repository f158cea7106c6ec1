import { InvalidArgumentError } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
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
    const { value: current, revision } = await look(ledger, item);
    const next = await change(current);
    if (isChanged(item, revision)) continue;
    if (next === KEEP) {
      // A copy of its own: the function may have changed the one that it was given.
      const kept = await item.value();
      if (isChanged(item, revision)) continue;
      return item.exists ? item.entry(kept as T) : undefined;
    }
    if (next === REMOVE) {
      if (item.exists) ledger.put(item, null, undefined);
      return undefined;
    }
    if (next === undefined) {
      throw new InvalidArgumentError("the function returned undefined: return the new value, KEEP or REMOVE", { key });
    }
    const encoded = await item.core.values.encode(next, key);
    if (isChanged(item, revision)) continue;
    const keeps = end === "keep" || (keepTtl && item.exists);
    ledger.put(item, encoded, keeps ? item.remainder : end);
    return item.entry(item.core.values.reopen(encoded.payload, key));
  }
  throw new InvalidArgumentError("the function of an update must not write the same key itself", { key });
}

/** The entry of an item as its transaction sees it. */
export async function entryOfItem<T>(ledger: Ledger, item: Item<T>): Promise<Entry<T> | undefined> {
  for (let tries = 0; tries < mostTries; tries++) {
    const { value, revision } = await look(ledger, item);
    if (!isChanged(item, revision)) return item.exists ? item.entry(value as T) : undefined;
  }
  throw tooBusy(item);
}

/** Deletes the entry of an item, and gives it. */
export async function takeItem<T>(ledger: Ledger, item: Item<T>): Promise<Entry<T> | undefined> {
  for (let tries = 0; tries < mostTries; tries++) {
    const { value, revision } = await look(ledger, item);
    if (isChanged(item, revision)) continue;
    if (!item.exists) return undefined;
    const entry = item.entry(value as T);
    ledger.put(item, null, undefined);
    return entry;
  }
  throw tooBusy(item);
}

/** Gives the entry of an item another ttl, in ms. Whether there is an entry. */
export async function touchItem<T>(ledger: Ledger, item: Item<T>, ttl: number | undefined): Promise<boolean> {
  for (let wait = ledger.ready(item); wait; wait = ledger.ready(item)) await wait;
  const { write, record } = item;
  if (write) ledger.put(item, write, ttl);
  else if (record && write === undefined) ledger.put(item, { id: record.id, payload: record.value }, ttl);
  return item.exists;
}

/**
 * The value of an item, and the revision that it is of. Other calls of the transaction may change the item before the
 * caller goes on: see {@link isChanged}.
 */
async function look<T>(
  ledger: Ledger,
  item: Item<T>,
): Promise<{ readonly value: T | undefined; readonly revision: number }> {
  for (let wait = ledger.ready(item); wait; wait = ledger.ready(item)) await wait;
  const { revision } = item;
  return { value: await item.value(), revision };
}

/** Whether an item was written since that revision, or is about to be. */
function isChanged(item: { readonly revision: number; readonly writing: unknown }, revision: number): boolean {
  return item.revision !== revision || item.writing !== undefined;
}

function tooBusy({ key }: { readonly key: Key }): InvalidArgumentError {
  return new InvalidArgumentError("other calls of the transaction kept writing the key", { key: key.key });
}
