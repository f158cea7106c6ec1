import { isHoldfastError, UnavailableError, UnsupportedError } from "../../base/errors.ts";
import { SqlError } from "./client.ts";
import type { Context } from "./context.ts";

/** Who waits for a reply. */
interface Waiting {
  readonly deadline: number;
  /** What is said at the deadline. */
  late(): Error;
}

/** What a caller is told of a failure. */
export function failureOf(error: unknown, backend: string): Error {
  if (isHoldfastError(error)) return error;
  if (!(error instanceof SqlError)) {
    return new UnavailableError(error instanceof Error ? error.message : String(error), { backend, cause: error });
  }
  const { failure, message } = error;
  if (failure === "refused")
    return new UnsupportedError(`the server refuses it: ${message}`, { backend, cause: error });
  return new UnavailableError(message, { backend, cause: error, refused: failure === "unavailable" });
}

/**
 * What a caller is told who waits until `deadline`. The server's reply may be found overdue a moment before the call
 * is: it is told the same.
 */
export function failureBy(waiting: Waiting, error: unknown, { name, time }: Context): Error {
  const isOverdue = error instanceof SqlError && error.failure === "lost" && time.monotonic() >= waiting.deadline;
  return isOverdue ? waiting.late() : failureOf(error, name);
}

/** Whether what failed so may have taken effect. */
export function mayHaveWritten(error: unknown): boolean {
  return error instanceof SqlError ? error.mayHaveWritten : !isHoldfastError(error);
}

/** Whether it may go better at once, or a moment later: nothing was written. */
export function passes(error: unknown): boolean {
  return error instanceof SqlError && !error.mayHaveWritten && error.failure === "busy";
}
