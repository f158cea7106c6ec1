import type { UnavailableError } from "../../base/errors.ts";

/**
 * The way to a server that speaks SQL, as the shared code of this folder sees it. Each kind of server has one client
 * on its own driver. All that it rejects with is a {@link SqlError}, or a HoldfastError where no connection is to be
 * had. Each call settles soon after its deadline.
 */
export interface SqlClient {
  /** Reaches the server and makes sure that it can serve. May be called again after it has failed. */
  open(limit: Limit): Promise<void>;
  /** Runs one statement outside of any transaction that only reads. It may share a connection with others. */
  read(statement: Statement, limit: Limit): Promise<Reply>;
  /**
   * Runs one statement as a transaction of its own. It waits for a locked row no longer than {@link lockMs}, and then
   * fails as `"busy"`. `make` is asked for the statement once there is a connection, and it is sent at once; where it
   * gives none, nothing is sent, and the result is undefined. What fails before it was asked has written nothing.
   */
  write(make: () => Statement | undefined, limit: Limit): Promise<Reply | undefined>;
  /**
   * Lends a connection in a transaction of its own, at READ COMMITTED, in which no statement waits for a locked row
   * longer than {@link lockMs}. `lane: "renewals"` has connections that statements of other calls cannot keep busy.
   */
  transaction(limit: Limit, lane: Lane): Promise<SqlTransaction>;
  /** Why nobody gets a connection for a call, where it is so: it says more than that a call is late. */
  readonly problem: UnavailableError | undefined;
  /** The same, of any moment from `since` on, by `time.monotonic()`. */
  problemSince(since: number): UnavailableError | undefined;
  /** Most callers that may wait for a connection. */
  readonly maxWaiting: number;
  /** Ends what the client opened itself; those whose statements are under way are told. Idempotent. */
  close(): Promise<void>;
}

/** How long a statement waits for a row that another transaction has locked, in ms. */
export const lockMs = 20;

export type Lane = "calls" | "renewals";

/** A transaction. It ends by `commit`, by `rollback`, or by any rejection, which has rolled it back. */
export interface SqlTransaction {
  /** Runs statements in order, in one round trip; the first call begins the transaction as well. */
  run(statements: readonly Statement[]): Promise<readonly Reply[]>;
  /**
   * Runs statements in order and commits, in one round trip. A rejection with `mayHaveWritten` is of a commit whose
   * fate is unknown.
   */
  commit(statements: readonly Statement[]): Promise<readonly Reply[]>;
  /** Undoes it and gives the connection back. Does nothing once it has ended. */
  rollback(): void;
}

/** A statement. Its text is one of few, so that a server can keep it prepared. */
export interface Statement {
  readonly text: string;
  /** What the dialect's driver takes. */
  readonly values: readonly unknown[];
}

export interface Reply {
  /** Each an array of columns. */
  readonly rows: readonly (readonly unknown[])[];
  /** How many rows were written. */
  readonly changed: number;
}

export interface Limit {
  /** When nobody waits any more, by `time.monotonic()`. */
  readonly deadline: number;
}

/** What a failure of a statement means for those who asked for it. */
export type SqlFailure =
  /** A row was locked, a deadlock or a serialization failure, a key that somebody inserted at once: try again. */
  | "busy"
  /** The server refuses it for what it is, and would again. */
  | "refused"
  /** The server cannot serve now: it starts, ends, is read-only, lacks connections, space or a table of ours. */
  | "unavailable"
  /** The connection is gone, or the reply is overdue, and with it the connection. */
  | "lost";

/**
 * What is said where a table of ours is gone. It is not made again by a process that runs: an empty one in its place
 * would hide that locks and records are lost.
 */
export const goneHint = 'what it held is lost; restore it, or run "holdfast migrate URL", which makes it again, empty';

/** Why a statement failed. Whatever failed has changed nothing, unless `mayHaveWritten`. */
export class SqlError extends Error {
  readonly failure: SqlFailure;
  readonly mayHaveWritten: boolean;

  /** `cause` is the driver's error. No value is in the message. */
  constructor(failure: SqlFailure, message: string, options: { mayHaveWritten?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "SqlError";
    this.failure = failure;
    this.mayHaveWritten = options.mayHaveWritten ?? false;
  }
}
