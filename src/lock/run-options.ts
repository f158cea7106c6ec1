import { createHash } from "node:crypto";
import { toMsOrNever, type Duration } from "../base/durations.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import type { Lease } from "./lease.ts";
import type { AcquireOptions, Terms } from "./options.ts";

/** How a run is made, and for how long its result is given instead of another run. */
export interface RunOnceOptions<R = unknown, Tx = unknown> extends AcquireOptions {
  /** How long the result is kept, from when the run completed. `"never"` keeps it for good. Default `"1d"`. */
  readonly keep?: Duration | "never" | undefined;
  /**
   * What a call does that finds a run which began and did not end, because its process died or lost the lease:
   * `"again"` runs `fn` again; `"fail"` rejects with IndeterminateError, this call and later ones. Default `"again"`.
   */
  readonly onCrash?: "again" | "fail" | undefined;
  /**
   * Records what `fn` gave: what is written through `tx` commits together with the result, or not at all. It runs again
   * when something that it read was changed by others, until `timeout`; `fn` does not, so this is the way to record
   * work with effects outside. `fn` gets no `tx` then. If it fails (by an error of its own, an abort, ConflictError
   * after `timeout`) the run has failed, but its result is kept: a later call commits that, and does not run `fn`
   * again. If the process dies or the lease is lost before it has committed, or the result cannot be stored, `onCrash`
   * says what becomes of it.
   */
  readonly commit?: ((tx: Tx, value: R) => void | PromiseLike<void>) | undefined;
  /**
   * Tells requests apart that must not share an id, as an idempotency key that a client uses for another request by
   * mistake: a call whose fingerprint is not that of the run is refused with RunOnceMismatchError, while that runs, for
   * as long as it is known, and after a wait. Compared where both calls gave one. Only a hash of it is stored. Any text
   * but an empty one.
   */
  readonly fingerprint?: string | undefined;
}

/** What the function of a run is given. */
export interface RunOnceContext<Tx> {
  /** The same for every attempt until one completes: for calls to the outside that must not happen twice. */
  readonly idempotencyKey: string;
  /** 1 for the first run. */
  readonly attempt: number;
  readonly lease: Lease;
  /** Aborts when the lease is lost or the caller's signal aborts. */
  readonly signal: AbortSignal;
  /**
   * What is written through it commits together with the result, or not at all. Not retried: a conflict makes the run
   * fail, and a later call runs it again. What must not run again commits by {@link RunOnceOptions.commit}.
   */
  readonly tx: Tx;
}

/** A result, and whether it is that of an earlier run. */
export interface RunOnceResult<R> {
  readonly value: R;
  readonly replayed: boolean;
}

/** {@link RunOnceOptions}, checked. */
export interface RunOnceTerms<R, Tx> extends Terms {
  readonly keepMs: number;
  readonly onCrash: "again" | "fail";
  readonly commit: ((tx: Tx, value: R) => void | PromiseLike<void>) | undefined;
  /** A hash of what was given. */
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
  // With the id, so that equal ones of other ids are not seen to be equal.
  return createHash("sha256")
    .update(JSON.stringify([id, fingerprint]))
    .digest("base64url");
}
