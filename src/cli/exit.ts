import { isHoldfastError } from "../base/errors.ts";

/** Exit codes of every command. */
export const Exit = { done: 0, dead: 1, usage: 2, store: 3, interrupted: 130 } as const;

/** Words on the command line that make no sense together. */
export class UsageError extends Error {}

/** The exit code of a run that failed: what the caller can mend is 2, what the store did is 3. */
export function exitOf(error: unknown): number {
  if (!isHoldfastError(error)) return Exit.usage;
  switch (error.code) {
    case "INVALID_ARGUMENT":
    case "UNSUPPORTED":
    case "UNSUPPORTED_VALUE":
      return Exit.usage;
    default:
      return Exit.store;
  }
}

/** One line about an error, with what is behind it. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const more = cause instanceof Error && !error.message.includes(cause.message) ? ` (${cause.message})` : "";
  return `${error.message}${more}`;
}
