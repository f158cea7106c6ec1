import type { Key } from "../../base/keys.ts";
import type { Reply, SqlError, Statement } from "./client.ts";

/** What a dialect says in a transaction of the application: on its connection, under its settings. */
export interface OwnDialect {
  /** Whether a statement that fails ends all that the transaction can do, until a rollback. */
  readonly failsAll: boolean;
  /** How much longer than it was told to the server may let a statement wait, in ms. */
  readonly roundsUpMs: number;

  /**
   * Has the statements that follow wait for rows no longer than `waitMs`, nor than the application says, and looks
   * where the connection leads and whether a transaction is open. That is looked at more closely unless it is `known`.
   */
  enter(waitMs: number, known: Entered | undefined): readonly Statement[];
  /** What the replies to {@link enter} say. */
  entered(replies: readonly Reply[], known: Entered | undefined): Entered;
  /** Whether {@link enter} has failed because no transaction is open. */
  isOutside(error: SqlError): boolean;

  /**
   * Reads locks, as the last of its replies has them, and keeps everybody from granting them before the transaction
   * ends.
   */
  hold(keys: readonly Key[], entered: Entered): readonly Statement[];
  /** A statement as the server is asked it, one at a time. */
  partsOf(statement: Statement): readonly Statement[];
  /** A column as the dialect expects it, of whatever the application's driver makes of it. */
  column(value: unknown): unknown;
  /** What an error of the application's driver means. No value is in it. */
  failure(error: unknown): SqlError;
}

/** What is known of a transaction of the application. */
export interface Entered {
  /** Whether a transaction is open; the one that was known, if there is one. */
  readonly open: boolean;
  /** What names the transaction, where the server tells. */
  readonly transaction: string | undefined;
  /** The id of the data that the connection leads to. Undefined where there are none. */
  readonly domain: string | undefined;
  /** Whether a statement sees what was committed before it. */
  readonly seesCommits: boolean;
  /** Sets the waits as they were. Where they outlive the transaction, that is right at any moment. */
  readonly leave: readonly Statement[];
}
