import { toMs, toMsOrNever, type Duration } from "../base/durations.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import { checkName } from "../base/keys.ts";
import { checkSignal, timeoutMs, type CallOptions } from "../client/index.ts";
import type { HolderKind } from "./kinds.ts";

/** Options of a call that takes a lock. */
export interface AcquireOptions extends CallOptions {
  /**
   * How long the lease lasts unless it is renewed, and so how long a dead holder blocks the lock. Default: `"30s"`. A
   * renewed lease of 4 s or more that another process handed over lasts 2 s at first, counted from the last request for
   * it, and is extended to its ttl once it has been held for 10 ms.
   */
  readonly ttl?: Duration | undefined;
  /**
   * How long to wait for the lock; 0 tries once. Default: `"30s"`, and 0 for `tryAcquire` and `tryRun`. `timeout`
   * bounds each request to the store, and not the wait. An abort during the wait rejects with `signal.reason`, and
   * nothing is held.
   */
  readonly wait?: Duration | undefined;
  /** Whether the lease is renewed in the background, at a third of its ttl, until `maxHold`. Default: true. */
  readonly renew?: boolean | undefined;
  /**
   * For how long the lease is renewed. It then ends with `why: "maxHold"`. `"never"` sets no bound. Default: `"1h"`.
   */
  readonly maxHold?: Duration | "never" | undefined;
  /** Shown by `inspect`, and in LockTimeoutError, as who holds the lock. At most 256 bytes. */
  readonly label?: string | undefined;
}

/** The defaults of the calls of a lock. */
export type AcquireDefaults = Pick<AcquireOptions, "ttl" | "wait" | "renew" | "maxHold" | "label" | "timeout">;

/** {@link AcquireOptions}, checked. */
export interface Terms {
  readonly ttlMs: number;
  /** Infinity waits until the signal. */
  readonly waitMs: number;
  readonly renew: boolean;
  /** Infinity for no bound. */
  readonly maxHoldMs: number;
  readonly label: string | undefined;
  /** What it is, where its place does not tell: see {@link kindOf}. */
  readonly kind: HolderKind | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** The terms of a lock without options of its own. */
export function defaultTerms(defaults: AcquireDefaults | undefined, timeout: number): Terms {
  const builtIn: Terms = {
    ttlMs: 30_000,
    waitMs: 30_000,
    renew: true,
    maxHoldMs: 3_600_000,
    label: undefined,
    kind: undefined,
    timeoutMs: timeout,
    signal: undefined,
  };
  return termsOf(defaults, builtIn);
}

/** The terms of one call. Throws InvalidArgumentError. */
export function termsOf(options: AcquireOptions | undefined, defaults: Terms): Terms {
  if (options === undefined) return defaults;
  if (typeof options !== "object" || options === null) throw new InvalidArgumentError("options must be an object");
  const { ttl, wait, renew, maxHold, label } = options;
  if (renew !== undefined && typeof renew !== "boolean") throw new InvalidArgumentError("renew must be true or false");
  return {
    ttlMs: ttl === undefined ? defaults.ttlMs : toMs(ttl, "ttl"),
    waitMs: wait === undefined ? defaults.waitMs : toMs(wait, "wait", { zero: true }),
    renew: renew ?? defaults.renew,
    maxHoldMs: maxHold === undefined ? defaults.maxHoldMs : toMsOrNever(maxHold, "maxHold"),
    label: label === undefined ? defaults.label : checkName(label, "label"),
    kind: defaults.kind,
    timeoutMs: timeoutMs(options.timeout, defaults.timeoutMs),
    signal: checkSignal(options.signal),
  };
}

/** The ttl to ask for. A renewed lease ends at `maxHold` at the latest, at the store as well. */
export function askMs(terms: Terms): number {
  return terms.renew ? Math.min(terms.ttlMs, terms.maxHoldMs) : terms.ttlMs;
}
