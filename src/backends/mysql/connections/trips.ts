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

/** Whatever isolation level and access mode the session has. */
const begin = "START TRANSACTION READ WRITE";
const isolation = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";
/**
 * Settings of the session, for there are none that end with the transaction: on connections of the application they are
 * put back before it ends. The waits for rows are those that the dialect cannot rule out; a second is the shortest that
 * both servers take (with 0, MariaDB has let a transaction fail in which SKIP LOCKED left out a row).
 */
const waits = "innodb_lock_wait_timeout = 1, sql_safe_updates = 0";
const enter =
  "SET @holdfast_idle = @@wait_timeout, @holdfast_wait = @@innodb_lock_wait_timeout, " +
  `@holdfast_safe = @@sql_safe_updates, wait_timeout = ${idleSeconds}, ${waits}`;
const idleAgain = "wait_timeout = CAST(COALESCE(@holdfast_idle, 28800) AS SIGNED)";
const leave =
  `SET ${idleAgain}, innodb_lock_wait_timeout = CAST(COALESCE(@holdfast_wait, 50) AS SIGNED), ` +
  "sql_safe_updates = CAST(COALESCE(@holdfast_safe, 0) AS SIGNED)";

/** What a connection of ours begins with, and keeps. */
export const introduction: readonly string[] = [
  "SET SESSION autocommit = 1",
  "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE",
  `SET @holdfast_idle = @@wait_timeout, ${waits}`,
];

/** Whatever `completion_type` is. */
const commit = "COMMIT AND NO CHAIN NO RELEASE";
const rollback = "ROLLBACK AND NO CHAIN NO RELEASE";

/** What a statement is asked in that only reads, on a connection whose settings are not ours. */
function reading(text: string): readonly string[] {
  // Where autocommit is off it would leave a transaction open, with a snapshot that grows old.
  return [isolation, text, commit];
}

/** What goes ahead of the statements of a trip, and behind them. */
interface Frame {
  readonly ahead: readonly string[];
  readonly behind: readonly string[];
}

/** On connections of the application. The first of these is refused where somebody has left a transaction open. */
function foreign({ first, last }: Trip): Frame {
  return { ahead: first ? [enter, isolation, begin] : [], behind: last ? [leave, commit] : [] };
}

/** On connections of ours, after the {@link introduction}. */
function own(link: Wire, asked: readonly string[], { first, last }: Trip): Frame {
  if (first && last && asked.length === 1) return { ahead: [], behind: [] };
  // Where the server has all of it before it begins, it waits for nobody.
  if (first && last && link.takesAtOnce([begin, ...asked, commit])) return { ahead: [begin], behind: [commit] };
  return {
    ahead: first ? [`SET wait_timeout = ${idleSeconds}`, begin] : [],
    behind: last ? [`SET ${idleAgain}`, commit] : [],
  };
}

export const mysqlTrips: Trips<Wire> = {
  async read(link, { text }, deadline) {
    const answer = link.own ? await link.run([text], deadline) : await readFrom(link, text, deadline);
    if (answer.ok) return { found: answer.replies[link.own ? 0 : 1] as Reply };
    return failureOf(answer);
  },
  run: runTrip,
  undo: async (link, deadline) => link.run([rollback, link.own ? `SET ${idleAgain}` : leave], deadline),
};

/** On a connection of the application, which may have left a transaction open. */
async function readFrom(link: Wire, text: string, deadline: number): Promise<Answer> {
  const answer = await link.run(reading(text), deadline);
  if (answer.ok || !isServerReply(answer.error)) return answer;
  // It may have been left in a transaction, before or by what has failed.
  const undone = await link.run([rollback], deadline);
  return isInTransaction(answer.error) && undone.ok ? link.run(reading(text), deadline) : answer;
}

async function runTrip(link: Wire, statements: readonly Statement[], trip: Trip): Promise<Sent> {
  const { first, last, deadline } = trip;
  // Each statement is one or more of the server's.
  const parts = statements.map(partsOf);
  const asked = parts.flat();
  const { ahead, behind } = link.own ? own(link, asked, trip) : foreign(trip);
  const texts = [...ahead, ...asked, ...behind];
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
  return { ...failureOf(answer, last && answer.sent === texts.length), open: texts.length > 1 };
}

function failureOf({ error, answered }: Extract<Answer, { ok: false }>, mayHaveWritten = false): Failed {
  const isReply = answered && isServerReply(error);
  const failure = isReply ? replyError(error, mayHaveWritten) : lostError(error, mayHaveWritten);
  return { failure, again: false };
}
