import { InvalidArgumentError, isHoldfastError, UnavailableError } from "../../../base/errors.ts";
import type { Failure } from "../../common/reconnecting.ts";
import { goneHint, SqlError, type SqlFailure } from "../../sql/client.ts";

/** The name that errors of this backend carry. */
export const BACKEND = "postgres";

const noTable = "42P01";

/** What a code of the server, or its class (the first two characters), means. The code goes before its class. */
const meanings: Readonly<Record<string, SqlFailure>> = {
  "40": "busy", // rolled back: 40001 serialization failure, 40P01 deadlock
  "55": "busy", // 55P03 lock not available: lock_timeout; 55006 object in use
  "57": "busy", // 57014 canceled: statement_timeout, or somebody's pg_cancel_backend
  "23505": "busy", // somebody inserted the same key at once
  "26000": "busy", // a statement that is not prepared, behind a pooler or one that failed
  "42P05": "busy", // a statement that is prepared already, behind a pooler
  "0A000": "busy", // a cached plan that does not fit a changed table: a new connection makes a new one
  "08": "lost", // the connection, also of a pooler to its server
  "25P03": "lost", // idle in a transaction for too long: the server has ended the connection
  "25P04": "lost", // transaction_timeout: the same
  "25006": "unavailable", // read-only: a standby, or a primary on its way out
  "28": "refused", // user or password
  "53": "unavailable", // 53100 disk full, 53200 out of memory, 53300 too many connections
  "57P01": "unavailable", // terminated by an administrator, or the server shuts down
  "57P02": "unavailable", // another process of the server has crashed
  "57P03": "unavailable", // starting up, shutting down
  "57P04": "unavailable", // the database was dropped
  "57P05": "unavailable", // idle_session_timeout
  [noTable]: "unavailable", // somebody has dropped one of ours, and may restore it
  "58": "unavailable", // the server's system: an I/O error, a missing file
};

/** Codes after which a connection is of no use any more; those of class 08 too. */
const ending = new Set(["0A000", "25P03", "25P04", "25006", "57P01", "57P02", "57P03", "57P04", "57P05"]);

/** Codes that say, while connecting, that a later attempt may go better; those of classes 08, 53, 57 and 58 too. */
const passing = new Set(["25006", "40001", "55000", "XX000"]);

/** An error that the server has sent, as the driver gives it. */
interface ServerReply extends Error {
  readonly code: string;
  readonly severity: string;
  readonly constraint?: string | undefined;
  readonly table?: string | undefined;
}

/** What is told of it. */
type Said = Pick<ServerReply, "code" | "message" | "constraint" | "table">;

/** Whether a text is a code of the server's, an SQLSTATE. */
export function isCode(text: string): boolean {
  return /^[0-9A-Z]{5}$/.test(text);
}

/**
 * Whether the driver's error is a reply of the server. Told by its shape, for an application's pool may come from
 * another copy of the driver.
 */
export function isServerReply(error: unknown): error is ServerReply {
  if (!(error instanceof Error)) return false;
  const { code, severity } = error as { readonly code?: unknown; readonly severity?: unknown };
  return typeof severity === "string" && typeof code === "string" && isCode(code);
}

/** Whether the connection is of no use after this reply. */
export function endsConnection({ code, severity }: ServerReply): boolean {
  return ending.has(code) || code.startsWith("08") || severity === "FATAL" || severity === "PANIC";
}

/** Whether a prepared statement was not there, or was there already. */
export function isUnprepared(error: unknown): error is ServerReply {
  return isServerReply(error) && (error.code === "26000" || error.code === "42P05");
}

/**
 * What a server said, without what may hold a value: the detail, where it happened, the statement. Messages of errors
 * in the data (class 22) quote it, and those of triggers (P0) may, so they are left out as well.
 */
class ServerError extends Error {
  readonly code: string;
  readonly constraint: string | undefined;
  readonly table: string | undefined;

  constructor({ code, message, constraint, table }: Said, hide: Hide) {
    super(/^(?:22|P0)/.test(code) ? "it does not take a value" : hide(message));
    this.name = "ServerError";
    this.code = code;
    this.constraint = constraint;
    this.table = table;
  }
}

/** Takes what must not be shown out of a text. */
export type Hide = (text: string) => string;

/** Why a statement was refused: what the server said. */
export function replyError(reply: Said, hide: Hide, mayHaveWritten = false): SqlError {
  const { code } = reply;
  const cause = new ServerError(reply, hide);
  const failure = meanings[code] ?? meanings[code.slice(0, 2)] ?? "refused";
  const hint = code === noTable ? `: ${goneHint}` : "";
  return new SqlError(failure, `the server said: ${cause.message} (${code})${hint}`, { mayHaveWritten, cause });
}

/** Why a statement has no reply: the connection is gone. */
export function lostError(why: unknown, hide: Hide, mayHaveWritten = false): SqlError {
  const message = isServerReply(why) ? replyError(why, hide).message : hide(messageOf(why));
  return new SqlError("lost", `the connection was lost before the reply: ${message}`, { mayHaveWritten });
}

/** What a failed attempt to connect to `where` means. */
export function attemptFailure(error: unknown, where: string, hide: Hide): Failure {
  if (isHoldfastError(error)) return { final: !isHoldfastError(error, "UNAVAILABLE"), error };
  if (isServerReply(error)) {
    const { code, message } = error;
    const said = hide(message);
    if (passing.has(code) || /^(?:08|53|57|58)/.test(code)) {
      const context = { backend: BACKEND, refused: true };
      return { final: false, error: new UnavailableError(`${where} cannot serve: ${said} (${code})`, context) };
    }
    const refused = `${where} refused the connection: ${said} (${code})`;
    return { final: true, error: new InvalidArgumentError(refused, { backend: BACKEND }) };
  }
  const message = hide(messageOf(error));
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  if (
    (typeof code === "string" && untrusted.test(code)) ||
    /does not support SSL|password must be a string/i.test(message)
  ) {
    const said = `no connection to ${where} with these settings: ${message}`;
    return { final: true, error: new InvalidArgumentError(said, { backend: BACKEND }) };
  }
  return { final: false, error: new UnavailableError(`${where} cannot be reached: ${message}`, { backend: BACKEND }) };
}

/** Errors of TLS that no later attempt mends. */
const untrusted = /CERT|SIGNATURE|ISSUER|ERR_TLS|ERR_SSL|HOSTNAME_MISMATCH/;

/** Attempts on several addresses of one name fail as one error, whose own message is empty. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(", ");
  return error instanceof Error ? error.message : String(error);
}
