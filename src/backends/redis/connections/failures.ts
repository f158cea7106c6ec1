import { InvalidArgumentError, isHoldfastError, UnavailableError, type HoldfastError } from "../../../base/errors.ts";
import { isForbiddenInScript, RedisFailure } from "../router.ts";

/** The name that errors of this backend carry. */
export const BACKEND = "redis";

/** Replies that a server gives instead of executing a command, also of a script's first write. */
const REFUSALS = new Set(
  (
    "NOSCRIPT READONLY OOM LOADING MISCONF NOPERM NOAUTH WRONGPASS BUSY CLUSTERDOWN MOVED ASK TRYAGAIN CROSSSLOT " +
    "MASTERDOWN NOREPLICAS EXECABORT DENIED NOPROTO UNBLOCKED"
  ).split(" "),
);

/** What says, while connecting, that a later attempt may go better. */
const PASSING = /^(?:LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b|max number of clients|max clients/;

/** Refusals that hold for a while, for every such command: what was refused may be granted later. */
const PASSING_WORDS = new Set(
  "READONLY OOM LOADING MISCONF BUSY CLUSTERDOWN TRYAGAIN MASTERDOWN NOREPLICAS".split(" "),
);

/** Whether a reply's first word says that the same command may be granted later. */
export function passes(word: string | undefined): boolean {
  return word !== undefined && PASSING_WORDS.has(word);
}

/** Errors of TLS that no later attempt mends. */
const UNTRUSTED = /CERT|SIGNATURE|ISSUER|ERR_TLS|ERR_SSL|HOSTNAME_MISMATCH/;

/** Whether a host has no address. */
export function isUnknownHost(error: unknown): boolean {
  return ((error ?? {}) as { readonly code?: unknown }).code === "ENOTFOUND";
}

/** Whether a server's certificate is not trusted. */
export function isUntrusted(error: unknown): boolean {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === "string" && /CERT|SIGNATURE|ISSUER|HOSTNAME_MISMATCH/.test(code);
}

/** Takes what must not be shown out of a text. */
export type Hide = (text: string) => string;

/** Hides these secrets, and what some servers repeat of a command they do not know. */
export function hiding(...secrets: readonly (string | undefined)[]): Hide {
  const known = secrets.filter((secret) => secret !== undefined && secret !== "") as readonly string[];
  return (text) =>
    known.reduce((shown, secret) => shown.replaceAll(secret, "***"), text.replace(/,? with args.*$/s, ""));
}

/**
 * Whether the driver's error is the reply of a server. Told by its shape, for an application's client may come from
 * another copy of the driver: replies begin with a word in capitals and have no code of the system.
 */
export function isReply(error: unknown): error is Error {
  if (!(error instanceof Error) || "errno" in error || "syscall" in error) return false;
  for (let type: unknown = Object.getPrototypeOf(error); type; type = Object.getPrototypeOf(type)) {
    const { name } = (type as { constructor: { name: string } }).constructor;
    if (name === "ErrorReply" || name === "ReplyError") return true;
  }
  return /^[A-Z][A-Z0-9_]+ /.test(error.message);
}

/** What a reply means for the command it is the answer to. */
export function replyFailure(message: string, command: unknown, hide: Hide): RedisFailure {
  // A script that lacks a right has failed at its first command: whatever it did behind that it reports itself.
  if (isForbiddenInScript(message)) return new RedisFailure(hide(message.replace(/^ERR/, "NOPERM")), false, "NOPERM");
  const word = /^[A-Z][A-Z0-9_]*/.exec(message)?.[0] ?? "ERR";
  // A script that failed midway keeps what it had written; of any other command an error says that it did nothing.
  const sent = /^(?:EVAL|FCALL)/i.test(String(command)) && !REFUSALS.has(word);
  // A redirection holds nothing but an address, which has to stay what it is.
  return new RedisFailure(word === "MOVED" || word === "ASK" ? message : hide(message), sent, word);
}

/** A command that may have been executed, or was never sent, because the connection failed. */
export function connectionFailure(error: unknown, sent: boolean, hide: Hide): RedisFailure {
  const why = error instanceof Error ? error.message : String(error);
  return new RedisFailure(
    sent ? `the connection was lost before the reply: ${hide(why)}` : `the command was not sent: ${hide(why)}`,
    sent,
  );
}

/** An attempt to connect that failed: as it is told to those who wait for it. */
export interface Attempt {
  /** Later attempts fail alike: nobody needs to wait. */
  readonly final: boolean;
  readonly error: HoldfastError;
}

/** What a failed attempt to connect means. */
export function attemptFailure(error: unknown, where: string, hide: Hide): Attempt {
  if (isHoldfastError(error)) return { final: !isHoldfastError(error, "UNAVAILABLE"), error };
  const message = hide(error instanceof Error ? messageOf(error) : String(error)).trim();
  if (isReply(error) && !PASSING.test(error.message)) {
    const said = `${where} refused the connection: ${message}`;
    return { final: true, error: new InvalidArgumentError(said, { backend: BACKEND }) };
  }
  const code = (error as { code?: unknown } | undefined)?.code;
  if (typeof code === "string" && UNTRUSTED.test(code)) {
    const said = `no trusted TLS connection to ${where}: ${message} (${code})`;
    return { final: true, error: new InvalidArgumentError(said, { backend: BACKEND }) };
  }
  const refused = isReply(error);
  const said = `${where} cannot be reached: ${message}`;
  return { final: false, error: new UnavailableError(said, { backend: BACKEND, refused }) };
}

/** An attempt that is under way: what is said to those who cannot wait for its end. */
export function unanswered(where: string): UnavailableError {
  return new UnavailableError(`${where} has not answered yet`, { backend: BACKEND });
}

/** Attempts on several addresses of one name fail as one error, whose own message is empty. */
function messageOf(error: Error): string {
  if (!(error instanceof AggregateError)) return error.message;
  return error.errors.map((one: unknown) => (one instanceof Error ? one.message : String(one))).join(", ");
}
