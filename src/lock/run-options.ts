import { toMsOrNever, type Duration } from "../base/durations.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import type { Lease } from "./lease.ts";
import type { AcquireOptions, Terms } from "./options.ts";

/** How a run is made, and for how long its result is given instead of another run. */
export interface RunOnceOptions extends AcquireOptions {
  /** How long the result is kept, from when the run completed. `"never"` keeps it for good. Default `"1d"`. */
  readonly keep?: Duration | "never" | undefined;
  /**
   * What a call does that finds a run which began and did not end, because its process died or lost the lease: `"again"` runs
   * `fn` again; `"fail"` rejects with IndeterminateError, this call and later ones. Default `"again"`.
   */
  readonly onCrash?: "again" | "fail" | undefined;
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
  /** What is written through it commits together with the result, or not at all. */
  readonly tx: Tx;
}

/** A result, and whether it is that of an earlier run. */
export interface RunOnceResult<R> {
  readonly value: R;
  readonly replayed: boolean;
}

/** {@link RunOnceOptions}, checked. */
export interface RunOnceTerms extends Terms {
  readonly keepMs: number;
  readonly onCrash: "again" | "fail";
}

/** Adds the options of a run to the terms of its lease. Throws InvalidArgumentError. */
export function runOnceTerms(options: RunOnceOptions | undefined, terms: Terms): RunOnceTerms {
  const onCrash = options?.onCrash ?? "again";
  if (onCrash !== "again" && onCrash !== "fail") throw new InvalidArgumentError('onCrash must be "again" or "fail"');
  const keepMs = options?.keep === undefined ? 86_400_000 : toMsOrNever(options.keep, "keep");
  return { ...terms, keepMs, onCrash };
}
