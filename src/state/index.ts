// State stores: entries by key, updates of one entry, transactions of several.
//
// - `StateStore` is public. Its inside is a `StoreCore`: the space, the codec and schema (`Values`), the requests.
//   Calls on one key are in `single-key.ts`, on many in `many.ts`; pages are in `listing.ts`, changes in `watching.ts`.
// - What depends on what it reads is `Work`: `modify.ts`, `taking.ts`, and a transaction after two conflicts. `Lines`
//   leads it to the `Line` of what it changes. There it is a `Task`, in the `TaskList` of those written together.
// - A line serves a list in rounds. A `Round` runs the functions of its tasks one after another on one `View`, and
//   writes all their changes in one group, the `RoundWrite`. After conflicts, processes take `Turns` by a lock.
// - A `Transaction` keeps what it read and is to write in its `Ledger`, one `Item` a key; `transaction-commit.ts` makes
//   the group of them. `transact.ts` tries it until it succeeds.
// - `OwnStateStore` has the calls of a store within a transaction of the application. `OwnWork` sends
//   them: no lines, no turns, one group a call.
// - A `Protection` is how a lease guards a group. `Host` is what all stores of an instance share: the lines, and
//   `Running`, the functions that end with the instance at the latest.

export { Entry, type Change, type Version } from "./entry.ts";
export type {
  ClearOptions,
  CountOptions,
  DeleteManyOptions,
  DeleteOptions,
  EndOptions,
  EntryPage,
  If,
  IfVersion,
  LeaseLike,
  LeaseOption,
  ListOptions,
  ListPageOptions,
  LoadEntryOptions,
  SaveEntry,
  SaveManyOptions,
  SaveOptions,
  SaveTerms,
  StateStoreOptions,
  TakeOptions,
  TouchOptions,
  UpdateOptions,
  UpsertOptions,
  WatchOptions,
} from "./options.ts";
export type { SchemaIssue, SchemaResult, StandardSchema } from "./standard-schema.ts";
export type { TransactionUpsertOptions } from "./item-changes.ts";
export { OwnStateStore } from "./own-store.ts";
export { StateStore } from "./store.ts";
export { KEEP, REMOVE, type Verdict } from "./symbols.ts";
export { transact, type TransactOptions } from "./transact.ts";
export { Transaction, type TransactionSaveOptions } from "./transaction.ts";
export { transactionFactory } from "./factory.ts";
