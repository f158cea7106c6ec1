import {
  CorruptValueError,
  InvalidArgumentError,
  isHoldfastError,
  UnavailableError,
  UnsupportedError,
} from "../../base/errors.ts";
import { keyId, utf8Length } from "../../base/keys.ts";
import type { Group, Guard, Operation, Outcome, Payload } from "../../port/index.ts";
import { passes } from "./connections/failures.ts";
import { isForbiddenInScript, RedisFailure } from "./router.ts";

export type Failed = Extract<Outcome, { why: "failed" }>;

/** Most keys of a group, its guards' locks included: what one of them holds the server up. */
export const maxGroup = 256;
/** Largest value, in bytes. */
export const maxValue = 64 * 1024 * 1024;

const backend = "redis";

export function notSent(error: Error): Failed {
  return { ok: false, why: "failed", sent: false, error };
}

export function unclaimed(): Failed {
  return notSent(new UnavailableError("the call was given up before it was sent", { backend }));
}

/** No reply came by the deadline. */
export function late(sent: boolean): Failed {
  const message = sent ? "the server did not reply in time" : "the server could not be reached in time";
  return { ok: false, why: "failed", sent, error: new UnavailableError(message, { backend }) };
}

export function closed(): UnavailableError {
  return new UnavailableError("the redis backend is closed", { backend });
}

/** What a failed command means to the groups in it. */
export function failedBy(error: unknown): Failed {
  if (isHoldfastError(error)) return notSent(error);
  if (!(error instanceof RedisFailure)) {
    return { ok: false, why: "failed", sent: true, error: error instanceof Error ? error : new Error(String(error)) };
  }
  if (error.reply === "WRONGTYPE") return notSent(foreign(undefined));
  const why =
    error.reply === "NOPERM"
      ? forbidden(error.message, error)
      : new UnavailableError(error.message, { backend, cause: error, refused: !error.sent && passes(error.reply) });
  return { ok: false, why: "failed", sent: error.sent, error: why };
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
  return { ok: false, why: "failed", sent, error };
}

/** A reply that the script does not give. */
export function unreadable(): Failed {
  const error = new UnavailableError("the server's reply cannot be read", { backend });
  return { ok: false, why: "failed", sent: true, error };
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

/** What is wrong with a group, if anything. */
export function refusalOf({ ops, guards }: Group): InvalidArgumentError | undefined {
  if (ops.length + (guards?.length ?? 0) > maxGroup && keysOf(ops, guards ?? []) > maxGroup) {
    return new InvalidArgumentError(`a group may have at most ${maxGroup} keys`, { backend });
  }
  for (const op of ops) {
    if (op.op === "set" && isTooLarge(op.value)) {
      return new InvalidArgumentError(`a value may have at most ${maxValue} bytes`, { backend, key: op.key.key });
    }
    if (op.op === "acquire" && op.wait && ops.length > 1) {
      return new InvalidArgumentError("an acquire that waits must be the only operation of its group", { backend });
    }
  }
  return undefined;
}

function keysOf(ops: readonly Operation[], guards: readonly Guard[]): number {
  const keys = ops.map((op) => ("key" in op ? op.key : op.lock));
  return new Set([...keys, ...guards.map(({ lock }) => lock)].map(keyId)).size;
}

/** Counts only where the length leaves it open. */
function isTooLarge(value: Payload): boolean {
  if (value.length * 3 <= maxValue) return false;
  return (typeof value === "string" ? utf8Length(value) : value.byteLength) > maxValue;
}
