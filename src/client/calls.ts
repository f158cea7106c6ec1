import { toMs, type Duration } from "../base/durations.ts";
import { InvalidArgumentError } from "../base/errors.ts";

/** What every call takes. */
export interface CallOptions {
  /**
   * Ends the call early. Aborted before the request was sent: rejects with `signal.reason`, nothing happened. After: a
   * read rejects with `signal.reason`, a write with IndeterminateError and the reason as its cause.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Bounds requests to the store and retries, not `wait`, loaders or your functions. Default: the instance's, `"5s"`.
   */
  readonly timeout?: Duration | undefined;
}

/** A call's limits, resolved once when it starts. */
export interface Call {
  readonly signal: AbortSignal | undefined;
  /** By `time.monotonic()`. */
  readonly deadline: number;
}

/** Refuses anything but an AbortSignal or undefined. */
export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal === null) return undefined;
  if (
    typeof (signal as AbortSignal).addEventListener !== "function" ||
    typeof (signal as AbortSignal).aborted !== "boolean"
  ) {
    throw new InvalidArgumentError("signal must be an AbortSignal");
  }
  return signal as AbortSignal;
}

/** A timeout in ms, or `fallback` where none is given. */
export function timeoutMs(timeout: Duration | undefined, fallback: number): number {
  return timeout === undefined ? fallback : toMs(timeout, "timeout");
}

/**
 * Refuses options that a call does not take and that would be missed if it went on without them: `if`, where nothing is
 * compared, and `lease`, where it is that of the whole call.
 */
export function refuseUnknown(options: object | undefined, ...names: readonly string[]): void {
  const found = names.find((name) => options !== undefined && name in options);
  if (found !== undefined) throw new InvalidArgumentError(`this takes no ${found}`);
}

/**
 * Refuses an own property `lease` or `if` that is `undefined`: a forgotten check for `tryAcquire` or `loadEntry`, which
 * would write unguarded.
 */
export function refuseForgotten(options: object | undefined, ...names: readonly string[]): void {
  if (options === undefined) return;
  for (const name of names) {
    if (Object.hasOwn(options, name) && (options as Record<string, unknown>)[name] === undefined) {
      throw new InvalidArgumentError(
        `${name} is undefined: check what ${name === "lease" ? "tryAcquire" : "loadEntry"} returned, ` +
          `or leave ${name} out to write without it`,
      );
    }
  }
}
