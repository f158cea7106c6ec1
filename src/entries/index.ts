export {
  BatchError,
  ConflictError,
  CorruptValueError,
  FencedError,
  HoldfastError,
  IndeterminateError,
  InvalidArgumentError,
  isHoldfastError,
  LeaseLostError,
  LoadDeadlockError,
  LoadTimeoutError,
  LockTimeoutError,
  RunOnceFailedError,
  RunOnceMismatchError,
  SchemaVersionError,
  UnavailableError,
  UnsupportedError,
  UnsupportedValueError,
} from "../base/errors.ts";
export type { BatchOutcome, ErrorCode, ErrorContext, HolderInfo, LeaseLostReason } from "../base/errors.ts";
export type { Duration } from "../base/durations.ts";
export type {
  BulkLoadContext,
  BulkLoader,
  CacheEntry,
  CacheEvents,
  CacheOptions,
  CacheStats,
  GetOrSetOptions,
  Isolate,
  LateOptions,
  LoadContext,
  Loader,
  LoadOutcome,
  SetEntry,
  SetOptions,
} from "../cache/index.ts";
export type { CallOptions, HoldfastEvents, OperationMessage } from "../client/index.ts";
export type { Codec } from "../codec/index.ts";
// Not from the index of its folder, which would load more: importing the package is to cost next to nothing.
export { json } from "../codec/json.ts";
export { plainJson } from "../codec/plain-json.ts";
export { backendOf, type BackendOfOptions } from "../holdfast/backend-of.ts";
export { connect } from "../holdfast/connect.ts";
export { examine } from "../holdfast/examine.ts";
export type { Examined, ExamineOptions } from "../holdfast/examine-target.ts";
export { migrate } from "../holdfast/migrate.ts";
export type { Migrated, MigrateOptions } from "../holdfast/migrate-target.ts";
export type { ConnectOptions } from "../holdfast/options.ts";
export { Cache, Holdfast, Lock, StateStore } from "../holdfast/tokens.ts";
export type {
  Backend,
  Capabilities,
  Examination,
  Fact,
  Finding,
  OwnConnection,
  RoundTrips,
  Tables,
  TablesMade,
} from "../port/index.ts";
export { KEEP, REMOVE } from "../state/symbols.ts";
export type {
  Change,
  ClearOptions,
  CountOptions,
  DeleteManyOptions,
  DeleteOptions,
  EndOptions,
  Entry,
  EntryPage,
  If,
  IfVersion,
  LeaseOption,
  ListOptions,
  ListPageOptions,
  LoadEntryOptions,
  OwnStateStore,
  SaveEntry,
  SaveManyOptions,
  SaveOptions,
  SaveTerms,
  SchemaIssue,
  SchemaResult,
  StandardSchema,
  StateStoreOptions,
  TakeOptions,
  TouchOptions,
  Transaction,
  TransactionSaveOptions,
  TransactionUpsertOptions,
  TransactOptions,
  UpdateOptions,
  UpsertOptions,
  Verdict,
  Version,
  WatchOptions,
} from "../state/index.ts";
export type {
  AcquireDefaults,
  AcquireOptions,
  ForceReleaseOptions,
  Holder,
  HolderKind,
  InspectOptions,
  Keys,
  KindOptions,
  LeaderFunction,
  Lease,
  ListLocksOptions,
  LockOptions,
  ReadWriteLock,
  ReleaseResult,
  RunOnceContext,
  RunOnceOptions,
  RunOnceResult,
  Semaphore,
  SharedLock,
  StoredRun,
  TryRun,
} from "../lock/index.ts";
