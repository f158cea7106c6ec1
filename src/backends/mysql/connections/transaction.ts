import type { Time } from "../../../base/time.ts";
import { SqlError, type Reply, type SqlTransaction, type Statement } from "../../sql/client.ts";
import type { Lent } from "../../sql/lane.ts";
import { partsAlone, partsOf } from "../statement.ts";
import { isInTransaction, isServerReply, lostError, replyError } from "./errors.ts";
import type { Answer, Wire } from "./wire.ts";

/**
 * How long the server keeps a transaction that waits for its client, in s: rows of a process that was paused, or whose
 * machine is gone, are locked no longer. A transaction of ours waits for one decision of this process, so what takes
 * longer has lost little by being rolled back and tried again.
 */
const idleSeconds = 2;

/** How often the first trip is made, where the connection was lost and nothing can have been written. */
const mostTries = 3;

/** How long a rollback may take before its connection is given up, in ms. */
const rollbackMs = 2_000;

const begin: readonly string[] = [
  // Of the next transaction alone. Refused where somebody has left one open.
  "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
  "START TRANSACTION READ WRITE",
];
/**
 * Settings of the session, for there are none that end with the transaction: they are put back before it ends. The
 * waits for rows are those that the dialect cannot rule out; a second is the shortest that both servers take (with 0,
 * MariaDB has let a transaction fail in which SKIP LOCKED left out a row).
 */
const enter =
  "SET @holdfast_idle = @@wait_timeout, @holdfast_wait = @@innodb_lock_wait_timeout, " +
  "@holdfast_safe = @@sql_safe_updates, " +
  `wait_timeout = ${idleSeconds}, innodb_lock_wait_timeout = 1, sql_safe_updates = 0`;
const leave =
  "SET wait_timeout = CAST(COALESCE(@holdfast_idle, 28800) AS SIGNED), " +
  "innodb_lock_wait_timeout = CAST(COALESCE(@holdfast_wait, 50) AS SIGNED), " +
  "sql_safe_updates = CAST(COALESCE(@holdfast_safe, 0) AS SIGNED)";
/** Whatever `completion_type` is. */
const commit = "COMMIT AND NO CHAIN NO RELEASE";
export const rollback = "ROLLBACK AND NO CHAIN NO RELEASE";

/** What a statement is asked in that only reads, on a connection whose settings are not ours. */
export function reading(text: string): readonly string[] {
  // Where autocommit is off it would leave a transaction open, with a snapshot that grows old.
  return ["SET TRANSACTION ISOLATION LEVEL READ COMMITTED", text, commit];
}

export interface TransactionOptions {
  readonly time: Time;
  readonly deadline: number;
  /** Another connection in place of one that was lost before anything was written. */
  take(): Promise<Lent<Wire>> | Lent<Wire>;
  /** Called once it has ended. */
  ended(): void;
}

/** A transaction on a connection that nobody else uses meanwhile. */
export class Transaction implements SqlTransaction {
  #lent: Lent<Wire>;
  readonly #options: TransactionOptions;
  #begun = false;
  #over = false;

  constructor(lent: Lent<Wire>, options: TransactionOptions) {
    this.#lent = lent;
    this.#options = options;
  }

  run(statements: readonly Statement[]): Promise<readonly Reply[]> {
    return this.#trip(statements.map(partsOf), false);
  }

  commit(statements: readonly Statement[]): Promise<readonly Reply[]> {
    return this.#trip(statements.map(partsOf), true);
  }

  /** Runs one statement as a transaction of its own. */
  async only(statement: Statement): Promise<Reply> {
    const [reply] = await this.#trip([partsAlone(statement)], true);
    return reply as Reply;
  }

  rollback(): void {
    if (this.#over) return;
    this.#over = true;
    void this.#undo().then(() => this.#giveBack());
  }

  /** Each statement is one or more of the server's. */
  async #trip(statements: readonly (readonly string[])[], last: boolean): Promise<readonly Reply[]> {
    if (this.#over) throw new SqlError("lost", "the transaction has ended");
    const ahead = this.#begun ? [] : [enter, ...begin];
    const texts = [...ahead, ...statements.flat(), ...(last ? [leave, commit] : [])];
    for (let tries = 1; ; tries++) {
      const answer = await this.#send(texts, ahead.length > 0);
      if (answer.ok) {
        if (last) this.#end();
        let at = ahead.length;
        return statements.map(({ length }) => answer.replies[(at += length) - 1] as Reply);
      }
      const { error, answered } = answer;
      // Its fate is unknown where it was sent and nothing ahead of it was refused.
      const committing = last && answer.sent === texts.length;
      const failure = answered && isServerReply(error) ? replyError(error, committing) : lostError(error, committing);
      const { alive } = this.#lent.link;
      if (alive) await this.#undo();
      else if (ahead.length > 0 && !failure.mayHaveWritten && tries < mostTries && this.#inTime()) {
        await this.#exchange();
        continue;
      }
      this.#end();
      throw failure;
    }
  }

  async #send(texts: readonly string[], first: boolean): Promise<Answer> {
    const { link } = this.#lent;
    const { deadline } = this.#options;
    this.#begun = true;
    const answer = await link.run(texts, deadline);
    if (answer.ok || !first || !isInTransaction(answer.error)) return answer;
    // Whoever had the connection before has left a transaction open. It ends as if its connection had been closed.
    const undone = await link.run([rollback], deadline);
    return undone.ok ? link.run(texts, deadline) : answer;
  }

  /** Takes another connection, for this one is of no use any more. Rejects as {@link TransactionOptions.take}. */
  async #exchange(): Promise<void> {
    this.#lent.giveBack();
    try {
      this.#lent = await this.#options.take();
    } catch (error) {
      this.#over = true;
      this.#options.ended();
      throw error;
    }
  }

  #inTime(): boolean {
    const { time, deadline } = this.#options;
    return time.monotonic() < deadline;
  }

  async #undo(): Promise<void> {
    if (!this.#begun) return;
    const { time } = this.#options;
    await this.#lent.link.run([rollback, leave], time.monotonic() + rollbackMs);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#giveBack();
  }

  #giveBack(): void {
    this.#lent.giveBack();
    this.#options.ended();
  }
}
