import { isHoldfastError, UnavailableError, UnsupportedError } from "../../base/errors.ts";
import { SqlError } from "./client.ts";

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

/** Whether what failed so may have taken effect. */
export function mayHaveWritten(error: unknown): boolean {
  return error instanceof SqlError ? error.mayHaveWritten : !isHoldfastError(error);
}

/** Whether it may go better at once, or a moment later: nothing was written. */
export function passes(error: unknown): boolean {
  return error instanceof SqlError && !error.mayHaveWritten && error.failure === "busy";
}
