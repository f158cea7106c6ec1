import type { Time } from "../../../base/time.ts";
import { SqlError, lockMs, type Statement } from "../../sql/client.ts";
import type { Failed, Sent, Trip, Trips } from "../../sql/held-transaction.ts";
import type { Answer, Done, Query, Refused } from "./answers.ts";
import { endsConnection, isServerReply, isUnprepared, lostError, replyError, type Hide } from "./errors.ts";
import { aloneOf, quickest } from "../statement.ts";
import type { Wire } from "./wire.ts";

/**
 * How long the server keeps a transaction that waits for its client, in ms: rows of a process that was paused, or whose
 * machine is gone, are locked no longer. A transaction of ours waits for one decision of this process, so what takes
 * longer has lost little by being rolled back and tried again.
 */
const idleMs = 2_000;

const commit: Query = { text: "COMMIT" };

/**
 * Has rows found by their index. A plan is kept for as long as the server has no new statistics, and one that was made
 * while a table was small would read all of it for every call when it has grown, until then.
 */
const byIndex = ["seqscan", "hashjoin", "mergejoin", "material"]
  .map((way) => `SET LOCAL enable_${way} = off`)
  .join("; ");

/**
 * Has a plan kept from the first run on, whatever the values: of few keys, the server would make one anew each time,
 * which takes longer than to execute it.
 */
const keepPlan = "SET LOCAL plan_cache_mode = force_generic_plan";

/** A statement that only reads, while the server makes the plan that it keeps: see above. */
function planning({ text, values }: Statement): readonly Query[] {
  const begun = { text: `BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; ${byIndex}` };
  return [begun, { text, values, plans: true }, commit];
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
      `SET LOCAL idle_in_transaction_session_timeout = ${idleMs}; ${byIndex}; ${keepPlan}`,
  };
}

export function postgresTrips({ time, hide }: { readonly time: Time; readonly hide: Hide }): Trips<Wire> {
  return {
    async read(link, given, deadline) {
      const statement = quickest(given);
      const isPlanned = link.isPlanned(statement.text);
      const answers = await link.run(isPlanned ? [statement] : planning(statement), deadline);
      const answer = (answers.find(({ ok }) => !ok) ?? answers[isPlanned ? 0 : 1]) as Answer;
      return answer.ok ? { found: answer.reply } : refusedRead(answer, hide);
    },
    async run(link, statements, trip) {
      const { first, last, deadline } = trip;
      const alone = link.own && first && last ? aloneOf(statements) : undefined;
      if (alone) return aloneSent((await link.run([alone], deadline))[0] as Answer, hide);
      const queries: Query[] = first ? [begin(deadline - time.monotonic())] : [];
      queries.push(...statements.map(quickest));
      if (last) queries.push(commit);
      return sentOf(await link.run(queries, deadline), trip, hide);
    },
    undo: async (link, deadline) => link.run([{ text: "ROLLBACK" }], deadline),
  };
}

/** What has failed and only reads. */
export function refusedRead({ error, answered }: Refused, hide: Hide): Failed {
  if (answered && isServerReply(error)) return { failure: replyError(error, hide), again: isUnprepared(error) };
  return { failure: lostError(error, hide), again: !isServerReply(error) };
}

function sentOf(answers: readonly Answer[], { first, last }: Trip, hide: Hide): Sent {
  // A commit of what has failed is a rollback.
  const open = !last;
  const failed = answers.find((answer) => !answer.ok);
  if (failed) {
    const failure = failureOf(failed, last ? answers.at(-1) : undefined, hide);
    return { failure, open, again: isUnprepared(failed.error) };
  }
  const done = answers as readonly Done[];
  if (last && done.at(-1)?.command !== "COMMIT") {
    return { failure: new SqlError("busy", "the server has rolled the transaction back"), open, again: false };
  }
  return { replies: done.slice(first ? 1 : 0, last ? -1 : undefined).map(({ reply }) => reply) };
}

/** Of a statement that committed by itself. */
function aloneSent(answer: Answer, hide: Hide): Sent {
  if (answer.ok) return { replies: [answer.reply] };
  return { failure: failureOf(answer, answer, hide), open: false, again: isUnprepared(answer.error) };
}

/** `end`: the answer to the commit, if it was asked for. Its fate is unknown where nothing before it was refused. */
function failureOf(failed: Refused, end: Answer | undefined, hide: Hide): SqlError {
  const { error, answered } = failed;
  if (answered && isServerReply(error)) return replyError(error, hide, end === failed && endsConnection(error));
  return lostError(error, hide, end?.ok === false && end.sent);
}
