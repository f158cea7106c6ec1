import type { SqlError, Statement } from "../sql/client.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { TableNames } from "../sql/identifiers.ts";
import type { Entered, OwnDialect } from "../sql/own-dialect.ts";
import { failureIn } from "../sql/own-failures.ts";
import { isServerReply, replyError } from "./connections/errors.ts";
import { hasty } from "./dialect.ts";
import { integer, partsOf } from "./statement.ts";

/** There is no such savepoint. */
const noSavepoint = 1305;

/**
 * What the dialect says in a transaction of the application. Its isolation level is the application's, and so is its
 * `innodb_lock_wait_timeout`, which is lowered for as long as a call takes; there is no such setting of a transaction
 * alone. Locking reads see what is committed at every level.
 */
export function ownDialect({ meta }: TableNames, dialect: Dialect): OwnDialect {
  // Without a transaction a savepoint is forgotten at once. Nothing names the transaction that is open.
  const isOpen = ["SAVEPOINT holdfast_look", "RELEASE SAVEPOINT holdfast_look"].map(plain);
  const look = [...isOpen, plain(`SELECT \`value\` AS domain FROM ${meta} WHERE \`name\` = 'domain'`)];
  const leave = [
    plain(
      "SET innodb_lock_wait_timeout = CAST(COALESCE(@holdfast_wait, 50) AS SIGNED), " +
        "sql_safe_updates = CAST(COALESCE(@holdfast_safe, 0) AS SIGNED)",
    ),
  ];
  return {
    failsAll: false,
    // The server counts whole seconds, and looks once a second whose are over.
    roundsUpMs: 2_000,
    enter(waitMs, known) {
      const seconds = integer(Math.max(1, Math.ceil(waitMs / 1_000)));
      const bound = plain(
        "SET @holdfast_wait = @@innodb_lock_wait_timeout, @holdfast_safe = @@sql_safe_updates, " +
          `innodb_lock_wait_timeout = CAST(LEAST(@@innodb_lock_wait_timeout, ${seconds}) AS SIGNED), ` +
          "sql_safe_updates = 0",
      );
      return [...(known ? isOpen : look), bound];
    },
    entered(replies, known): Entered {
      const [told] = replies[2]?.rows[0] ?? [];
      const domain = known ? known.domain : (told as Buffer | null | undefined)?.toString();
      return { open: true, transaction: undefined, domain, seesCommits: true, leave };
    },
    isOutside: ({ cause }: SqlError) => (cause as { readonly errno?: unknown } | undefined)?.errno === noSavepoint,
    hold: (keys) => [dialect.lock("locks", keys, { mode: "hold", skip: false, patient: true, values: false })],
    // An insert waits here.
    partsOf: (statement) =>
      partsOf(statement).map((text) => plain(text.startsWith(hasty) ? text.slice(hasty.length) : text)),
    column: bytesOf,
    failure: (error) => failureIn(error, (at) => (isServerReply(at) ? replyError(at) : undefined)),
  };
}

function plain(text: string): Statement {
  return { text, values: [] };
}

/** As our own connections give columns: bytes, and numbers as digits. */
function bytesOf(value: unknown): Buffer | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return Buffer.from(typeof value === "boolean" ? String(Number(value)) : String(value as string | number | bigint));
}
