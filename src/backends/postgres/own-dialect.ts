import type { SqlError, Statement } from "../sql/client.ts";
import type { Dialect, LockHow } from "../sql/dialect.ts";
import type { Entered, OwnDialect } from "../sql/own-dialect.ts";
import type { TableNames } from "../sql/identifiers.ts";
import { failureIn } from "../sql/own-failures.ts";
import { arrayText } from "./arrays.ts";
import { isCode, isServerReply, replyError } from "./connections/errors.ts";

/**
 * What the dialect says in a transaction of the application. Its isolation level is the application's, and so is its
 * `lock_timeout`, which is lowered for as long as a call takes.
 */
export function ownDialect({ meta }: TableNames, dialect: Dialect): OwnDialect {
  // Every statement of a transaction is given the moment when it began; without one, each is its own. In a row of its
  // own, for the setting must be read before it is set.
  const began = "EXTRACT(epoch FROM pg_catalog.now())::text";
  const look = `SELECT ${began} AS began`;
  const enter =
    "SELECT s.began, s.domain, s.level, s.before, pg_catalog.set_config('lock_timeout', CASE WHEN s.wait > 0 AND " +
    `s.wait <= $1::text::float8 THEN s.before ELSE $1::text END, true) AS bounded FROM (SELECT ${began} AS began, ` +
    `(SELECT value FROM ${meta} WHERE name = 'domain') AS domain, ` +
    "pg_catalog.current_setting('transaction_isolation') AS level, " +
    "pg_catalog.current_setting('lock_timeout') AS before, " +
    "EXTRACT(epoch FROM pg_catalog.current_setting('lock_timeout')::interval) * 1000 AS wait OFFSET 0) AS s";
  const leave = "SELECT pg_catalog.set_config('lock_timeout', $1::text, true) AS bounded";
  return {
    failsAll: true,
    roundsUpMs: 0,
    enter: (waitMs, known) => [
      ...(known ? [] : [{ text: look, values: [] }]),
      { text: enter, values: [String(waitMs)] },
    ],
    entered: (replies, known): Entered => {
      const [moment, domain, level, before] = replies.at(-1)?.rows[0] ?? [];
      const first = known ? known.transaction : replies[0]?.rows[0]?.[0];
      return {
        open: moment !== undefined && moment === first,
        transaction: moment as string,
        domain: typeof domain === "string" ? domain : undefined,
        seesCommits: level === "read committed" || level === "read uncommitted",
        leave: [{ text: leave, values: [before] }],
      };
    },
    isOutside: () => false,
    hold: (keys, { seesCommits }) => {
      const lock = (mode: LockHow["mode"]): Statement =>
        dialect.lock("locks", keys, { mode, skip: false, values: false });
      // What is held may be renewed meanwhile, so it is read as it was when the statement began: once more, then. Where
      // that would not see more, the transaction fails if a lock has changed since it began.
      return seesCommits ? [lock("hold"), lock("none")] : [lock("read")];
    },
    partsOf: (statement) => [plainly(statement)],
    column: (value) => (value instanceof Uint8Array && !Buffer.isBuffer(value) ? Buffer.from(value) : value),
    failure: (error) => failureIn(error, meaning),
  };
}

/**
 * What the server said, of the driver's error or of what an adapter keeps of it. Whoever has put it into an error of
 * theirs may have put the values into its message.
 */
function meaning(error: unknown): SqlError | undefined {
  const hide = (): string => "a statement failed";
  if (isServerReply(error)) return replyError(error, hide);
  const { originalCode: code } = (error ?? {}) as { readonly originalCode?: unknown };
  return typeof code === "string" && isCode(code) ? replyError({ code, message: "" }, hide) : undefined;
}

/** The same with texts alone as its values, which every driver writes in the same way. */
function plainly({ text, values }: Statement): Statement {
  return {
    text: text.replaceAll(/(\$\d+)::(\w+\[\])/g, "$1::text::$2"),
    values: values.map((value) => (Buffer.isBuffer(value) ? arrayText(value) : value)),
  };
}
