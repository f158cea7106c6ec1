import type { Time } from "../../../base/time.ts";
import { SqlError, lockMs, type Reply, type SqlTransaction, type Statement } from "../../sql/client.ts";
import type { Lent } from "../../sql/lane.ts";
import type { Answer, Done, Query, Refused } from "./answers.ts";
import { endsConnection, isServerReply, isUnprepared, lostError, replyError, type Hide } from "./errors.ts";
import type { Wire } from "./wire.ts";

/**
 * How long the server keeps a transaction that waits for its client, in ms: rows of a process that was paused, or whose
 * machine is gone, are locked no longer. A transaction of ours waits for one decision of this process, so what takes
 * longer has lost little by being rolled back and tried again.
 */
const idleMs = 2_000;

/**
 * How often the first trip is made: of it nothing can have taken effect where a statement was not prepared as it should
 * have been, or the connection turned out to be lost and no commit was sent.
 */
const mostTries = 3;

/** How long a rollback may take before its connection is given up, in ms. */
const rollbackMs = 2_000;

const commit: Query = { text: "COMMIT" };

/**
 * Has rows found by their index. A plan is kept for as long as the server has no new statistics, and one that was made
 * while a table was small would read all of it for every call when it has grown, until then.
 */
const byIndex = ["seqscan", "hashjoin", "mergejoin", "material"]
  .map((way) => `SET LOCAL enable_${way} = off`)
  .join("; ");

/** A statement that only reads, while the server plans it: see above. */
export function planning(statement: Statement): readonly Query[] {
  return [{ text: `BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; ${byIndex}` }, statement, commit];
}

/**
 * What begins a transaction. The server gives up a statement when its caller has given up by then: seconds in powers of
 * two, so that there are few texts. Nothing of it outlives the transaction, for a pooler may hand the session on.
 */
function begin(remainingMs: number): Query {
  const seconds = 2 ** Math.min(Math.ceil(Math.log2(Math.max(remainingMs / 1_000, 1))), 16);
  return {
    text:
      `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = ${lockMs}; ` +
      `SET LOCAL statement_timeout = ${seconds * 1_000}; ` +
      `SET LOCAL idle_in_transaction_session_timeout = ${idleMs}; ${byIndex}`,
  };
}

export interface TransactionOptions {
  readonly time: Time;
  readonly hide: Hide;
  readonly deadline: number;
  /** Another connection. Rejects with a HoldfastError. */
  take(): Lent<Wire> | Promise<Lent<Wire>>;
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
    return this.#trip(statements, false);
  }

  commit(statements: readonly Statement[]): Promise<readonly Reply[]> {
    return this.#trip(statements, true);
  }

  rollback(): void {
    if (this.#over) return;
    this.#over = true;
    void this.#undo().then(() => this.#giveBack());
  }

  async #trip(statements: readonly Statement[], last: boolean): Promise<readonly Reply[]> {
    if (this.#over) throw new SqlError("lost", "the transaction has ended");
    const isFirst = !this.#begun;
    for (let tries = 1; ; tries++) {
      const answers = await this.#send(statements, isFirst, last);
      const failed = answers.find((answer) => !answer.ok);
      if (!failed) {
        if (last) this.#end();
        if (last && (answers.at(-1) as Done).command !== "COMMIT") {
          throw new SqlError("busy", "the server has rolled the transaction back");
        }
        return (answers as Done[]).slice(isFirst ? 1 : 0, last ? -1 : undefined).map(({ reply }) => reply);
      }
      // A commit of what has failed is a rollback.
      if (!last) await this.#undo();
      const failure = this.#failure(failed, last ? answers.at(-1) : undefined);
      const again = isFirst && !failure.mayHaveWritten && tries < mostTries && this.#inTime();
      if (again && isUnprepared(failed.error)) continue;
      if (again && !this.#lent.link.alive) {
        await this.#exchange();
        continue;
      }
      this.#end();
      throw failure;
    }
  }

  async #send(statements: readonly Statement[], first: boolean, last: boolean): Promise<readonly Answer[]> {
    const { time, deadline } = this.#options;
    this.#begun = true;
    const queries: Query[] = first ? [begin(deadline - time.monotonic())] : [];
    queries.push(...statements);
    if (last) queries.push(commit);
    return this.#lent.link.run(queries, deadline);
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

  /** `end`: the answer to the commit, if it was asked for. Its fate is unknown where nothing before it was refused. */
  #failure(failed: Refused, end: Answer | undefined): SqlError {
    const { hide } = this.#options;
    const { error, answered } = failed;
    if (answered && isServerReply(error)) return replyError(error, hide, end === failed && endsConnection(error));
    return lostError(error, hide, end?.ok === false && end.sent);
  }

  async #undo(): Promise<void> {
    if (!this.#begun) return;
    const { time } = this.#options;
    await this.#lent.link.run([{ text: "ROLLBACK" }], time.monotonic() + rollbackMs);
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
