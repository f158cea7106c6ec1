import { InvalidArgumentError, UnavailableError } from "../../base/errors.ts";
import { keyId } from "../../base/keys.ts";
import { bytesOver } from "../../base/sizes.ts";
import type { Group, Operation, Outcome } from "../../port/index.ts";

/** The outcome of a group that took no effect, or of which nobody knows. */
export type Failed = Extract<Outcome, { readonly why: "failed" }>;

/** The group did not take effect, and never will. */
export function notSent(error: Error): Failed {
  return { ok: false, why: "failed", sent: false, error };
}

/** The group may have taken effect. */
export function maybeSent(error: Error): Failed {
  return { ok: false, why: "failed", sent: true, error };
}

/** Whoever asked for the group was gone when it was to be sent. */
export function givenUp(backend: string): Failed {
  return notSent(new UnavailableError("the call was given up before it was sent", { backend }));
}

/** The deadline of a call has passed. */
export function lateError(backend: string): UnavailableError {
  return new UnavailableError("the server did not reply in time", { backend });
}

/** The backend, or the session, is closed. */
export function closedError(backend: string): UnavailableError {
  return new UnavailableError(`the ${backend} backend is closed`, { backend });
}

/** What a backend takes of a group. */
export interface Limits {
  readonly backend: string;
  /** Most keys, those of the guards' locks included. */
  readonly maxGroup: number;
  /** Largest value, in bytes. */
  readonly maxValue: number;
}

/** Why a group is refused before it is looked at: `undefined` for one that can be tried. */
export function refuse({ ops, guards }: Group, limits: Limits): Failed | undefined {
  const { backend, maxGroup, maxValue } = limits;
  const keys = ops.length + (guards?.length ?? 0);
  if (keys > maxGroup && countKeys({ ops, guards }) > maxGroup) {
    return refused(`a group has at most ${maxGroup} keys`, backend);
  }
  for (let i = 0; i < ops.length; i++) {
    const op = ops[i] as Operation;
    if (op.op === "set") {
      if (bytesOver(op.value, maxValue) !== undefined)
        return refused(`a value has at most ${maxValue} bytes`, backend, op.key.key);
    } else if (keys > 1 && op.op === "acquire" && op.wait !== undefined) {
      return refused("an acquire that waits must be the only operation of its group", backend, op.lock.key);
    }
  }
  return undefined;
}

function refused(message: string, backend: string, key?: string): Failed {
  return notSent(new InvalidArgumentError(message, { backend, key }));
}

function countKeys({ ops, guards = [] }: Group): number {
  const keys = new Set(guards.map(({ lock }) => keyId(lock)));
  for (const op of ops) keys.add(keyId("key" in op ? op.key : op.lock));
  return keys.size;
}
