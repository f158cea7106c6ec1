import type { Reply, Statement } from "../../sql/client.ts";
import type { Failed, Sent, Trip, Trips } from "../../sql/held-transaction.ts";
import { partsOf } from "../statement.ts";
import { isInTransaction, isServerReply, lostError, replyError } from "./errors.ts";
import type { Answer, Wire } from "./wire.ts";

/**
 * How long the server keeps a transaction that waits for its client, in s: rows of a process that was paused, or whose
 * machine is gone, are locked no longer. A transaction of ours waits for one decision of this process, so what takes
 * longer has lost little by being rolled back and tried again.
 */
const idleSeconds = 2;

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
const rollback = "ROLLBACK AND NO CHAIN NO RELEASE";

/** What a statement is asked in that only reads, on a connection whose settings are not ours. */
function reading(text: string): readonly string[] {
  // Where autocommit is off it would leave a transaction open, with a snapshot that grows old.
  return ["SET TRANSACTION ISOLATION LEVEL READ COMMITTED", text, commit];
}

/** `own`: whether connections for reads have settings of ours. */
export function mysqlTrips(own: boolean): Trips<Wire> {
  return {
    async read(link, { text }, deadline) {
      const answer = own ? await link.run([text], deadline) : await readFrom(link, text, deadline);
      if (answer.ok) return { found: answer.replies[own ? 0 : 1] as Reply };
      return failureOf(answer);
    },
    run: runTrip,
    undo: async (link, deadline) => link.run([rollback, leave], deadline),
  };
}

/** On a connection of the application, which may have left a transaction open. */
async function readFrom(link: Wire, text: string, deadline: number): Promise<Answer> {
  const answer = await link.run(reading(text), deadline);
  if (answer.ok || !isServerReply(answer.error)) return answer;
  // It may have been left in a transaction, before or by what has failed.
  const undone = await link.run([rollback], deadline);
  return isInTransaction(answer.error) && undone.ok ? link.run(reading(text), deadline) : answer;
}

async function runTrip(link: Wire, statements: readonly Statement[], { first, last, deadline }: Trip): Promise<Sent> {
  // Each statement is one or more of the server's.
  const parts = statements.map(partsOf);
  const ahead = first ? [enter, ...begin] : [];
  const texts = [...ahead, ...parts.flat(), ...(last ? [leave, commit] : [])];
  let answer = await link.run(texts, deadline);
  if (first && !answer.ok && isInTransaction(answer.error)) {
    // Whoever had the connection before has left a transaction open. It ends as if its connection had been closed.
    const undone = await link.run([rollback], deadline);
    if (undone.ok) answer = await link.run(texts, deadline);
  }
  if (answer.ok) {
    const { replies } = answer;
    let at = ahead.length;
    return { replies: parts.map(({ length }) => replies[(at += length) - 1] as Reply) };
  }
  // Its fate is unknown where it was sent and nothing ahead of it was refused.
  return { ...failureOf(answer, last && answer.sent === texts.length), open: true };
}

function failureOf({ error, answered }: Extract<Answer, { ok: false }>, mayHaveWritten = false): Failed {
  const isReply = answered && isServerReply(error);
  const failure = isReply ? replyError(error, mayHaveWritten) : lostError(error, mayHaveWritten);
  return { failure, again: false };
}
