import type { Group } from "../port/index.ts";
import type { Call } from "./calls.ts";

/**
 * What the state feature gives to the lock feature, so that the writes of a run commit with its result. `Tx` is what
 * the user's function is given.
 */
export interface TransactionFactory<Tx = unknown> {
  /** Starts a transaction: no I/O until it is used. `call` bounds its reads. */
  begin(call: () => Call): OpenTransaction<Tx>;
  /**
   * Runs `fn` on a transaction, and commits what it wrote together with records of the caller's, as one atomic group.
   * Runs it again after a conflict, as `transact` does. Rejects as `transact`, `fn` or `joined` does.
   */
  run(fn: (tx: Tx) => unknown, joined: Joined): Promise<void>;
}

/** What the caller adds to each try of a transaction. */
export interface Joined {
  /** Ends the function and its reads, but not a commit that was begun. */
  readonly signal: AbortSignal | undefined;
  /** Bounds the tries, and each request. */
  readonly timeoutMs: number;
  /** Sends the group of a try. `request` takes the guards and operations that are to be part of it. */
  commit<R>(request: (extra: Group, call: Call) => Promise<R>): Promise<R>;
}

/** A transaction whose writes are held back. */
export interface OpenTransaction<Tx = unknown> {
  readonly tx: Tx;
  /**
   * Commits once, as one atomic group: what `tx` wrote, everything it read checked, and the guards and operations of
   * `extra`. After that, and after {@link abandon}, `tx` refuses every call. Rejects with ConflictError where something
   * that was read has changed, FencedError where a guard refused, UnsupportedError where the backend cannot commit
   * these keys together; nothing was written then. Rejects with IndeterminateError if the outcome is unknown.
   */
  commit(extra: Group, call: Call): Promise<void>;
  /** Ends it without a write. Idempotent. */
  abandon(): void;
}
