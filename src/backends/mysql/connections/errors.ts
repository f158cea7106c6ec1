import { InvalidArgumentError, isHoldfastError, UnavailableError } from "../../../base/errors.ts";
import type { Failure } from "../../common/reconnecting.ts";
import { goneHint, SqlError, type SqlFailure } from "../../sql/client.ts";

/** The name that errors of this backend carry. */
export const BACKEND = "mysql";

/** Errors of the server that pass, or are of the connection, and what they say. All others are refusals. */
const known: Readonly<Record<Exclude<SqlFailure, "refused">, Readonly<Record<number, string>>>> = {
  busy: {
    1020: "a record has changed since it was read", // MariaDB, with innodb_snapshot_isolation
    1062: "somebody inserted the same key at once",
    1205: "a row is locked", // so MariaDB answers NOWAIT, too
    1213: "there was a deadlock",
    1412: "the table was changed meanwhile",
    1614: "there was a deadlock",
    3101: "the group found a conflict when it was committed",
    3572: "a row is locked", // so MySQL answers NOWAIT
  },
  unavailable: {
    1021: "its disk is full",
    1026: "it could not write to its disk",
    1030: "its storage engine failed",
    1037: "it is out of memory",
    1038: "it is out of memory",
    1040: "it has too many connections",
    1041: "it is out of memory",
    1047: "the node does not serve yet", // of a Galera cluster
    1053: "it shuts down",
    1114: "the table has no space left",
    1129: "this host is blocked, after many errors",
    1135: "it has too many threads",
    1146: `a table is gone: ${goneHint}`,
    1180: "the commit failed",
    1203: "this user has too many connections",
    1206: "it has no room left for locks",
    1223: "a read lock is held, as for a backup",
    1226: "this user has used up what it may",
    1290: "an option forbids it, such as read_only",
    1317: "the statement was interrupted",
    1792: "the transaction is read-only",
    1836: "it is read-only",
    1969: "max_statement_time is exceeded",
    3024: "max_execution_time is exceeded",
    3032: "it is in offline mode",
    3100: "the group refused the commit",
    3168: "it is not ready yet",
  },
  lost: {
    1152: "the connection was aborted",
    1158: "the connection failed",
    1159: "the connection failed",
    1160: "the connection failed",
    1161: "the connection failed",
    1184: "the connection was aborted",
    1927: "the connection was killed",
    3169: "the connection was killed",
    4031: "the connection was idle for too long",
  },
};

/** Refusals whose name does not say all. */
const refusals: Readonly<Record<number, string>> = {
  1044: "the user has no right to the database",
  1045: "the user or the password is wrong",
  1049: "there is no such database",
  1130: "this host may not connect",
  1142: "the user has no right to do this to the table",
  1153: "what was sent is larger than max_allowed_packet",
  1698: "the user or the password is wrong",
};

/** A transaction is under way on the connection: see {@link isInTransaction}. */
const inTransaction = 1568;
/** A commit that was answered so may have been made. */
const unsure = new Set([1053, 1105, 1180, 1317, 1927, 1969, 3024, 3100, 3169]);
/** After these the connection is of no use: it is read-only because another server has become the primary, say. */
const ending = new Set([1047, 1053, 1153, 1290, 1792, 1836, 3032]);
/** While connecting, these pass too. */
const passing = new Set([1105, 1129]);

const meanings = new Map(
  Object.entries(known).flatMap(([failure, texts]) =>
    Object.entries(texts).map(([number, text]) => [Number(number), { failure: failure as SqlFailure, text }] as const),
  ),
);

/** An error that the server has sent, as the driver gives it. */
export interface ServerReply extends Error {
  readonly errno: number;
  readonly code?: string | undefined;
}

/**
 * Whether the driver's error is a reply of the server. Told by its shape, for an application's pool may come from
 * another copy of the driver.
 */
export function isServerReply(error: unknown): error is ServerReply {
  if (!(error instanceof Error)) return false;
  const { errno, sqlState } = error as { readonly errno?: unknown; readonly sqlState?: unknown };
  return typeof errno === "number" && errno > 0 && typeof sqlState === "string";
}

/** Whether it failed because somebody has left a transaction open on the connection. */
export function isInTransaction(error: unknown): boolean {
  return isServerReply(error) && error.errno === inTransaction;
}

/** Whether the connection is of no use after this reply. */
export function endsConnection({ errno }: ServerReply): boolean {
  return ending.has(errno) || meanings.get(errno)?.failure === "lost";
}

/**
 * What a server said, as a number and its name. Its message may quote a key or a value, and the driver's error holds
 * the whole statement.
 */
class ServerError extends Error {
  readonly errno: number;
  readonly code: string | undefined;

  constructor({ errno, code }: ServerReply) {
    super(saidBy({ errno, code }));
    this.name = "ServerError";
    this.errno = errno;
    this.code = code;
  }
}

function saidBy({ errno, code }: Pick<ServerReply, "errno" | "code">): string {
  const text = meanings.get(errno)?.text ?? refusals[errno] ?? "it cannot do this";
  return `${text} (${code === undefined ? "" : `${code}, `}${errno})`;
}

/** Why a statement was refused. `ofCommit`: it may be the commit that was answered so. */
export function replyError(reply: ServerReply, ofCommit = false): SqlError {
  const failure = meanings.get(reply.errno)?.failure ?? "refused";
  const mayHaveWritten = ofCommit && unsure.has(reply.errno);
  return new SqlError(failure, `the server said: ${saidBy(reply)}`, { mayHaveWritten, cause: new ServerError(reply) });
}

/** Why a statement has no reply: the connection is gone. */
export function lostError(why: unknown, mayHaveWritten = false): SqlError {
  const said = isServerReply(why) ? `the server said: ${saidBy(why)}` : messageOf(why);
  return new SqlError("lost", `the connection was lost before the reply: ${said}`, { mayHaveWritten });
}

/** What a failed attempt to connect to `where` means. */
export function attemptFailure(error: unknown, where: string): Failure {
  if (isHoldfastError(error)) return { final: !isHoldfastError(error, "UNAVAILABLE"), error };
  if (isServerReply(error)) {
    const { errno } = error;
    if (passing.has(errno) || meanings.has(errno)) {
      const context = { backend: BACKEND, refused: true };
      return { final: false, error: new UnavailableError(`${where} cannot serve: ${saidBy(error)}`, context) };
    }
    const said = `${where} refused the connection: ${saidBy(error)}`;
    return { final: true, error: new InvalidArgumentError(said, { backend: BACKEND }) };
  }
  const message = messageOf(error);
  if (isHopeless(error)) {
    const said = `no connection to ${where} with these settings: ${message}`;
    return { final: true, error: new InvalidArgumentError(said, { backend: BACKEND }) };
  }
  return { final: false, error: new UnavailableError(`${where} cannot be reached: ${message}`, { backend: BACKEND }) };
}

/** Whether it will not go better: TLS that is not trusted or not there, a way to prove who one is that is not known. */
function isHopeless(error: unknown): boolean {
  const { code, syscall, message } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  if (typeof code !== "string") return false;
  // The driver puts this in the place of the code, also where the connection was lost meanwhile.
  if (code === "HANDSHAKE_SSL_ERROR") return syscall === undefined && !/disconnected|ECONN/.test(`${message}`);
  return /CERT|SIGNATURE|ISSUER|ERR_TLS|ERR_SSL|HOSTNAME_MISMATCH|HANDSHAKE_NO_SSL|AUTH_SWITCH/.test(code);
}

function messageOf(error: unknown): string {
  // One for each address of a name.
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join(", ");
  return error instanceof Error ? error.message || error.name : String(error);
}
