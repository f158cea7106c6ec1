import { CorruptValueError, isHoldfastError, UnavailableError, UnsupportedError } from "../../base/errors.ts";
import type { Group, Operation } from "../../port/index.ts";
import { maybeSent, notSent, type Failed, type Limits } from "../common/failures.ts";
import { passes } from "./connections/failures.ts";
import { isForbiddenInScript, RedisFailure } from "./router.ts";

const backend = "redis";

/** What is taken of a group. So many keys hold the server up for no longer than other calls bear. */
export const limits: Limits = { backend, maxGroup: 256, maxValue: 64 * 1024 * 1024 };

/** No reply came by the deadline. */
export function late(sent: boolean): Failed {
  const message = sent ? "the server did not reply in time" : "the server could not be reached in time";
  const error = new UnavailableError(message, { backend });
  return sent ? maybeSent(error) : notSent(error);
}

/** What a failed command means to the groups in it. */
export function failedBy(error: unknown): Failed {
  if (isHoldfastError(error)) return notSent(error);
  if (!(error instanceof RedisFailure)) {
    return maybeSent(error instanceof Error ? error : new Error(String(error)));
  }
  if (error.reply === "WRONGTYPE") return notSent(foreign(undefined));
  const why =
    error.reply === "NOPERM"
      ? forbidden(error.message, error)
      : new UnavailableError(error.message, { backend, cause: error, refused: !error.sent && passes(error.reply) });
  return error.sent ? maybeSent(why) : notSent(why);
}

/** The user lacks a right. */
function forbidden(message: string, cause?: Error): UnsupportedError {
  const [, name] = /'([\w|]+)' command/.exec(message) ?? [];
  const grant = name === undefined ? "allow it in the ACL" : `allow +${name}`;
  return new UnsupportedError(`${message}; ${grant}: holdfast doctor names all that the user lacks`, {
    backend,
    cause,
  });
}

/** Words of errors that a server gives to the first write of a script instead of executing it. */
const refusals: ReadonlySet<string> = new Set(["OOM", "READONLY", "MISCONF", "NOREPLICAS"]);

/** What an error of one group within the script means. `applying`: the group had begun to write. */
export function failedWithin(message: string, applying: boolean, group: Group): Failed {
  const word = /^[A-Z]+/.exec(message)?.[0] ?? "ERR";
  if (word === "WRONGTYPE" || word === "FOREIGN") return { ...notSent(foreign(group.ops[0])), sent: applying };
  const sent = applying && !refusals.has(word);
  const error = isForbiddenInScript(message)
    ? forbidden(message.replace(/^ERR/, "NOPERM"))
    : new UnavailableError(`the server refused it: ${message}`, { backend, refused: !sent && passes(word) });
  return sent ? maybeSent(error) : notSent(error);
}

/** A reply that the script does not give. */
export function unreadable(): Failed {
  return maybeSent(new UnavailableError("the server's reply cannot be read", { backend }));
}

/** A key of ours holds what is not ours. */
export function foreign(op: Operation | undefined): CorruptValueError {
  const key = op === undefined ? undefined : "key" in op ? op.key.key : op.lock.key;
  return new CorruptValueError("what is stored under this key was not written by Holdfast", { backend, key });
}

export function severalSlots(): UnsupportedError {
  return new UnsupportedError(
    "on a cluster only keys of one tag are atomic together: give them a common part in braces, as in {order-42}:lines",
    { backend },
  );
}
