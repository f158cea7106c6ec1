import type { Group, Outcome } from "./operations.ts";

/**
 * A connection that the application has begun a transaction on: a connection of the backend's driver, or any other
 * object with such a `query`, which so is all that a query builder or another driver needs to have.
 */
export interface OwnConnection {
  /**
   * Runs one statement in the application's transaction. `values` are for the placeholders `$1`, `$2`, ... of `text`,
   * where there are any. Resolves with the rows, each an object of its columns in their order: an array, `{ rows }`, or
   * an array whose first item is the rows. Rejects if the statement fails.
   */
  query(text: string, values: string[]): unknown;
}

/**
 * A transaction of the application, of which groups become a part: what they write takes effect when the application
 * commits, and never if it does not. What they check holds until then.
 */
export interface OwnTransaction {
  /**
   * Executes one group as {@link Session.execute} does; one at a time, in the order of the calls. Waits for rows that
   * others have locked. A group that is refused has changed nothing, and the application may go on. After one that
   * failed it must roll back: `sent: false` says that nothing of the group can be committed any more by doing that,
   * `sent: true` that a statement has got no answer. Never rejects, and settles soon after `deadline`.
   */
  execute(group: Group, call: OwnCall): Promise<Outcome>;
}

/** What a backend must know of a call in a transaction of the application. */
export interface OwnCall {
  /** When nobody waits any more, by `time.monotonic()`. */
  readonly deadline: number;
  /** Asked synchronously before each statement. False means that the caller is gone: nothing more is sent. */
  claim(): boolean;
}
