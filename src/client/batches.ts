import {
  BatchError,
  InvalidArgumentError,
  isHoldfastError,
  UnavailableError,
  type BatchOutcome,
} from "../base/errors.ts";
import type { Call } from "./calls.ts";

/** The outcome of one part of a batch. */
export type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

/** The key and the value of an entry. */
interface KeyAndValue<V> {
  readonly key: string;
  readonly value: V;
}

/**
 * An entry of a batch as an object; it may be given as a pair. Throws InvalidArgumentError, which shows the `shape`.
 */
export function toEntry<V, E extends KeyAndValue<V>>(
  entry: readonly [string, V] | E,
  shape: string,
): E | KeyAndValue<V> {
  if (typeof entry !== "object" || entry === null) {
    throw new InvalidArgumentError(`an entry must be [key, value] or ${shape}`);
  }
  return isPair<V>(entry) ? { key: entry[0], value: entry[1] } : entry;
}

function isPair<V>(entry: readonly [string, V] | KeyAndValue<V>): entry is readonly [string, V] {
  return Array.isArray(entry);
}

/**
 * What `act` makes of each item, where the items do not depend on each other. It is called for all of them before this
 * returns. Rejects with {@link batchError} unless all succeed.
 */
export async function allOrBatchError<I, T>(
  items: readonly I[],
  act: (item: I) => T | Promise<T>,
  call: Call,
  backend: string,
  what: string,
): Promise<T[]> {
  const outcomes = await Promise.all(items.map((item) => settle(act, item)));
  const values: T[] = [];
  for (const outcome of outcomes) {
    if (!outcome.ok) throw batchError(outcomes, call, backend, what);
    values.push(outcome.value);
  }
  return values;
}

async function settle<I, T>(act: (item: I) => T | Promise<T>, item: I): Promise<Settled<T>> {
  try {
    const value = act(item);
    return { ok: true, value: value instanceof Promise ? await value : value };
  } catch (error) {
    return { ok: false, error };
  }
}

/**
 * The error of a batch that did not wholly succeed: BatchError, or the caller's own reason if nothing of it was sent.
 * `what` says what was to be done, such as `"saved"`.
 */
function batchError(outcomes: readonly Settled<unknown>[], call: Call, backend: string, what: string): unknown {
  const reason: unknown = call.signal?.aborted ? call.signal.reason : undefined;
  if (reason !== undefined && outcomes.every((outcome) => !outcome.ok && outcome.error === reason)) return reason;
  const all = outcomes.map((outcome): BatchOutcome<unknown> => {
    if (outcome.ok) return outcome;
    const { error } = outcome;
    if (isHoldfastError(error)) return { ok: false, error };
    return {
      ok: false,
      error: new UnavailableError("ended before it was sent: nothing was changed", { backend, cause: error }),
    };
  });
  const failed = all.filter((outcome) => !outcome.ok).length;
  return new BatchError(`${failed} of ${all.length} entries were not ${what}`, { backend, outcomes: all });
}
