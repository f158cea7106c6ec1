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
export { StateStore } from "./store.ts";
export { KEEP, REMOVE, type Verdict } from "./symbols.ts";
export { transact, type TransactOptions } from "./transact.ts";
export { Transaction, type TransactionSaveOptions } from "./transaction.ts";
export { transactionFactory } from "./factory.ts";
