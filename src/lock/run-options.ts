import { createHash } from "node:crypto";
import { toMsOrNever, type Duration } from "../base/durations.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import type { Lease } from "./lease.ts";
import type { AcquireOptions, Terms } from "./options.ts";

/** Options of `runOnce`. */
export interface RunOnceOptions<R = unknown, Tx = unknown> extends AcquireOptions {
  /** How long the result is kept, counted from the end of the run. `"never"` keeps it for good. Default: `"1d"`. */
  readonly keep?: Duration | "never" | undefined;
  /**
   * What to do about a run that began and did not end, because its process died or lost the lease: `"again"` runs `fn`
   * again; `"fail"` rejects with IndeterminateError, this call and later ones. Default: `"again"`.
   */
  readonly onCrash?: "again" | "fail" | undefined;
  /**
   * Records the result of `fn` in the store: everything written through `tx` commits together with the result, or not
   * at all. It runs again if something that it read was changed by others, until `timeout`. `fn` does not run again, so
   * this is the way to record work with effects outside. `fn` gets no `tx` then.
   *
   * If it fails (by an error of its own, an abort, or ConflictError after `timeout`), the run has failed, but its
   * result is kept: a later call commits that, and does not run `fn` again. If the process dies or the lease is lost
   * before the commit, or if the result cannot be stored, `onCrash` decides.
   */
  readonly commit?: ((tx: Tx, value: R) => void | PromiseLike<void>) | undefined;
  /**
   * Distinguishes requests that must not share an id, as when a client uses an idempotency key for another request by
   * mistake. A call with another fingerprint than that of the run rejects with RunOnceMismatchError, while the run is
   * under way and for as long as it is known. It is compared only if both calls gave one. Only a hash is stored. Any
   * text but an empty one.
   */
  readonly fingerprint?: string | undefined;
}

/** The argument of the function of a run. */
export interface RunOnceContext<Tx> {
  /** The same for every attempt until one completes: give it to calls to the outside that must not happen twice. */
  readonly idempotencyKey: string;
  /** 1 for the first run. */
  readonly attempt: number;
  readonly lease: Lease;
  /** Aborts when the lease is lost or the caller's signal aborts. */
  readonly signal: AbortSignal;
  /**
   * Everything written through it commits together with the result, or not at all. Not retried: a conflict makes the
   * run fail, and a later call runs it again. For work that must not run again, use {@link RunOnceOptions.commit}.
   */
  readonly tx: Tx;
}

/** The result of a run, and whether it was an earlier run. */
export interface RunOnceResult<R> {
  readonly value: R;
  readonly replayed: boolean;
}

/** {@link RunOnceOptions}, checked. */
export interface RunOnceTerms<R, Tx> extends Terms {
  readonly keepMs: number;
  readonly onCrash: "again" | "fail";
  readonly commit: ((tx: Tx, value: R) => void | PromiseLike<void>) | undefined;
  /** A hash of the given fingerprint. */
  readonly fingerprint: string | undefined;
}

/** Adds the options of the run of an id to the terms of its lease. Throws InvalidArgumentError. */
export function runOnceTerms<R, Tx>(
  id: string,
  options: RunOnceOptions<R, Tx> | undefined,
  terms: Terms,
): RunOnceTerms<R, Tx> {
  const onCrash = options?.onCrash ?? "again";
  if (onCrash !== "again" && onCrash !== "fail") throw new InvalidArgumentError('onCrash must be "again" or "fail"');
  const commit = options?.commit;
  if (commit !== undefined && typeof commit !== "function") throw new InvalidArgumentError("commit must be a function");
  const keepMs = options?.keep === undefined ? 86_400_000 : toMsOrNever(options.keep, "keep");
  return { ...terms, keepMs, onCrash, commit, fingerprint: hashOf(id, options?.fingerprint) };
}

function hashOf(id: string, fingerprint: unknown): string | undefined {
  if (fingerprint === undefined) return undefined;
  if (typeof fingerprint !== "string" || fingerprint === "")
    throw new InvalidArgumentError("fingerprint must be a text that is not empty");
  // With the id, so that equal fingerprints of different ids do not look equal.
  return createHash("sha256")
    .update(JSON.stringify([id, fingerprint]))
    .digest("base64url");
}
