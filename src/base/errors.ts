/** Stable error codes. A code never changes its meaning; new ones may be added. */
export type ErrorCode =
  | "CONFLICT"
  | "FENCED"
  | "LEASE_LOST"
  | "LOCK_TIMEOUT"
  | "RUN_ONCE_FAILED"
  | "RUN_ONCE_MISMATCH"
  | "LOAD_TIMEOUT"
  | "LOAD_DEADLOCK"
  | "BATCH"
  | "UNAVAILABLE"
  | "INDETERMINATE"
  | "UNSUPPORTED"
  | "UNSUPPORTED_VALUE"
  | "CORRUPT_VALUE"
  | "SCHEMA_VERSION"
  | "INVALID_ARGUMENT";

/** Where an error happened. Never holds a value or a credential. */
export interface ErrorContext {
  /** The backend's name, such as `"memory"`. */
  readonly backend?: string | undefined;
  /** The caller's key, as given. */
  readonly key?: string | undefined;
  /** The error or abort reason behind this one. */
  readonly cause?: unknown;
}

const brand = Symbol.for("holdfast.error");

/** Base of every error that Holdfast throws on purpose. Test with {@link isHoldfastError}, not `instanceof`. */
export class HoldfastError extends Error {
  /** A stable code, to decide by. */
  readonly code: ErrorCode;
  /** The backend's name, where one was involved. */
  readonly backend: string | undefined;
  /** The caller's key, where one was involved. */
  readonly key: string | undefined;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.code = code;
    this.backend = context.backend;
    this.key = context.key;
  }

  static {
    Object.defineProperty(HoldfastError.prototype, brand, { value: true });
    Object.defineProperty(HoldfastError.prototype, "name", {
      value: "HoldfastError",
      writable: true,
      configurable: true,
    });
  }
}

/** Whether `error` is one of ours, also when it came from a second copy of the package; optionally of one code. */
export function isHoldfastError(error: unknown, code?: ErrorCode): error is HoldfastError {
  if (typeof error !== "object" || error === null) return false;
  const candidate = error as { [brand]?: unknown; code?: unknown };
  return candidate[brand] === true && (code === undefined || candidate.code === code);
}

/** Whether an error says that the store could not be asked, or did not answer: a while later it may. */
export function isAway(error: unknown): boolean {
  return isHoldfastError(error, "UNAVAILABLE") || isHoldfastError(error, "INDETERMINATE");
}

/** Whether the store was reached but refuses such requests for now: see {@link UnavailableError.refused}. */
export function isRefusal(error: unknown): boolean {
  return isHoldfastError(error, "UNAVAILABLE") && (error as { refused?: unknown }).refused === true;
}

function named(type: { prototype: Error }, name: string): void {
  Object.defineProperty(type.prototype, "name", { value: name, writable: true, configurable: true });
}

/** A condition (`if`, or what a transaction read) no longer held. Nothing was written. */
export class ConflictError extends HoldfastError {
  static {
    named(this, "ConflictError");
  }
  /** How often it was tried. More than once only where a call tries again by itself: `update`, `upsert`, `transact`. */
  readonly tries: number;
  constructor(message: string, context?: ErrorContext & { readonly tries?: number | undefined }) {
    super("CONFLICT", message, context);
    this.tries = context?.tries ?? 1;
  }
}

/** The lease named by a write is no longer held: the store refused it, nothing was written. */
export class FencedError extends HoldfastError {
  static {
    named(this, "FencedError");
  }
  constructor(message: string, context?: ErrorContext) {
    super("FENCED", message, context);
  }
}

/** Why a lease ended before its release. */
export type LeaseLostReason = "expired" | "forced" | "maxHold" | "closed";

/** A lease ended before it was released. It is the reason of `lease.signal`. */
export class LeaseLostError extends HoldfastError {
  static {
    named(this, "LeaseLostError");
  }
  /** What ended it. */
  readonly why: LeaseLostReason;
  constructor(message: string, context: ErrorContext & { readonly why: LeaseLostReason }) {
    super("LEASE_LOST", message, context);
    this.why = context.why;
  }
}

/** What an error tells of who holds a lock. */
export interface HolderInfo {
  readonly owner: string;
  readonly label?: string | undefined;
  readonly remainingMs: number;
}

/** A lock was not free within `wait`. The caller holds nothing and no longer waits. */
export class LockTimeoutError extends HoldfastError {
  static {
    named(this, "LockTimeoutError");
  }
  /** Who held the lock when it was last asked, where known. */
  readonly holder: HolderInfo | undefined;
  /** Whether the holder is this very process: a nested acquire that waits for itself. */
  readonly heldByThisProcess: boolean;
  constructor(
    message: string,
    context: ErrorContext & { readonly holder?: HolderInfo | undefined; readonly heldByThisProcess: boolean },
  ) {
    super("LOCK_TIMEOUT", message, context);
    this.holder = context.holder;
    this.heldByThisProcess = context.heldByThisProcess;
  }
}

/** The run that this caller waited for failed. Name, message and code are those of its error. */
export class RunOnceFailedError extends HoldfastError {
  static {
    named(this, "RunOnceFailedError");
  }
  /** Name, message and code of the error that the run failed with. */
  readonly failure: { readonly name: string; readonly message: string; readonly code?: string | undefined };
  constructor(
    message: string,
    context: ErrorContext & {
      readonly failure: { readonly name: string; readonly message: string; readonly code?: string | undefined };
    },
  ) {
    super("RUN_ONCE_FAILED", message, context);
    this.failure = context.failure;
  }
}

/** The id of a run is known with another `fingerprint`: it was used for another request. Nothing ran. */
export class RunOnceMismatchError extends HoldfastError {
  static {
    named(this, "RunOnceMismatchError");
  }
  constructor(message: string, context?: ErrorContext) {
    super("RUN_ONCE_MISMATCH", message, context);
  }
}

/** A loader of a cache did not end within `loadTimeout`. Its signal is aborted, and its value is dropped. */
export class LoadTimeoutError extends HoldfastError {
  static {
    named(this, "LoadTimeoutError");
  }
  constructor(message: string, context?: ErrorContext) {
    super("LOAD_TIMEOUT", message, context);
  }
}

/**
 * A loader of a cache asked for a key whose loader waits for it, itself or through others of this process: neither
 * would ever end. Nothing waits; the other loaders go on.
 */
export class LoadDeadlockError extends HoldfastError {
  static {
    named(this, "LoadDeadlockError");
  }
  /** Who waits for whom, as `cache "key"`: the loader that asked, those in between, and itself again. */
  readonly ring: readonly string[];
  constructor(message: string, context: ErrorContext & { readonly ring: readonly string[] }) {
    super("LOAD_DEADLOCK", message, context);
    this.ring = context.ring;
  }
}

/** The result of one entry of a batch, in the order of the entries. */
export type BatchOutcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: HoldfastError };

/** Some entries of a batch failed. Those that succeeded stay; `outcomes` tells them apart. */
export class BatchError extends HoldfastError {
  static {
    named(this, "BatchError");
  }
  /** One outcome an entry, in their order. */
  readonly outcomes: readonly BatchOutcome<unknown>[];
  constructor(message: string, context: ErrorContext & { readonly outcomes: readonly BatchOutcome<unknown>[] }) {
    super("BATCH", message, context);
    this.outcomes = context.outcomes;
  }
}

/** The store could not be asked, or a read got no reply in time. Nothing happened. */
export class UnavailableError extends HoldfastError {
  static {
    named(this, "UnavailableError");
  }
  /**
   * Whether the store was reached and refuses such requests for now, as one that is read-only, out of memory, busy or
   * loading does: a while later the same request may be granted.
   */
  readonly refused: boolean;
  constructor(message: string, context?: ErrorContext & { readonly refused?: boolean | undefined }) {
    super("UNAVAILABLE", message, context);
    this.refused = context?.refused === true;
  }
}

/** A write was sent and its outcome is unknown: it may take effect, have taken effect, or neither. */
export class IndeterminateError extends HoldfastError {
  static {
    named(this, "IndeterminateError");
  }
  constructor(message: string, context?: ErrorContext) {
    super("INDETERMINATE", message, context);
  }
}

/** The backend does not promise what was asked (see its capabilities). Nothing happened. */
export class UnsupportedError extends HoldfastError {
  static {
    named(this, "UnsupportedError");
  }
  constructor(message: string, context?: ErrorContext) {
    super("UNSUPPORTED", message, context);
  }
}

/** A value that cannot be stored so that it comes back as it was. Nothing was written. */
export class UnsupportedValueError extends HoldfastError {
  static {
    named(this, "UnsupportedValueError");
  }
  /** Where in the value, such as `$.items[3].price`. */
  readonly path: string;
  constructor(message: string, context: ErrorContext & { readonly path: string }) {
    super("UNSUPPORTED_VALUE", message, context);
    this.path = context.path;
  }
}

/** A stored record that cannot be decoded. It stays as it is. */
export class CorruptValueError extends HoldfastError {
  static {
    named(this, "CorruptValueError");
  }
  constructor(message: string, context?: ErrorContext) {
    super("CORRUPT_VALUE", message, context);
  }
}

/** A record was written by a newer schema version than this code knows. It stays as it is. */
export class SchemaVersionError extends HoldfastError {
  static {
    named(this, "SchemaVersionError");
  }
  /** The record's version. */
  readonly found: number;
  /** The newest version that this code knows. */
  readonly known: number;
  constructor(message: string, context: ErrorContext & { readonly found: number; readonly known: number }) {
    super("SCHEMA_VERSION", message, context);
    this.found = context.found;
    this.known = context.known;
  }
}

/** Bad input, refused before anything happened. */
export class InvalidArgumentError extends HoldfastError {
  static {
    named(this, "InvalidArgumentError");
  }
  constructor(message: string, context?: ErrorContext) {
    super("INVALID_ARGUMENT", message, context);
  }
}
