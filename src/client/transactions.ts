import type { Group } from "../port/index.ts";
import type { Call } from "./calls.ts";

/**
 * What the state feature gives to the lock feature, so that the writes of a run commit with its result. `Tx` is what the
 * user's function is given.
 */
export interface TransactionFactory<Tx = unknown> {
  /** Starts a transaction: no I/O until it is used. `call` bounds its reads. */
  begin(call: () => Call): OpenTransaction<Tx>;
}

/** A transaction whose writes are held back. */
export interface OpenTransaction<Tx = unknown> {
  readonly tx: Tx;
  /**
   * Commits once, as one atomic group: what `tx` wrote, everything it read checked, and the guards and operations of `extra`.
   * After that, and after {@link abandon}, `tx` refuses every call. Rejects with ConflictError where something that was read
   * has changed, FencedError where a guard refused, UnsupportedError where the backend cannot commit these keys together;
   * nothing was written then. IndeterminateError where the fate of the group is unknown.
   */
  commit(extra: Group, call: Call): Promise<void>;
  /** Ends it without a write. Idempotent. */
  abandon(): void;
}
