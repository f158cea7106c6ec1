import type { Statement } from "../sql/client.ts";

/**
 * A statement of ours, as any driver may send it: all its values are arrays. On connections of the toolkit it may be
 * another one that does the same.
 */
export interface PgStatement extends Statement {
  /**
   * The same about its one row, where it is about one. The server plans a statement of few array elements anew each
   * time, which takes several times as long as to execute it.
   */
  readonly one?: Statement | undefined;
  /** The same as a transaction of its own, without a command that begins and one that commits it. */
  readonly alone?: Statement | undefined;
}

/** What a connection of the toolkit sends for a statement. */
export function quickest(statement: PgStatement): Statement {
  return statement.one ?? statement;
}

/** What it sends where the statement is a transaction of its own; undefined where it has to be begun. */
export function aloneOf(statements: readonly PgStatement[]): Statement | undefined {
  return statements.length === 1 ? statements[0]?.alone : undefined;
}
