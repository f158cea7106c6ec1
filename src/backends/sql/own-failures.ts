import { SqlError } from "./client.ts";

/** How many errors may stand around what the server said. */
const mostAround = 5;

/**
 * What an error of the application's driver means: what the server said is in it, or in one that others have put around
 * it. Nothing of their messages is told, for they may hold values; but that of a mistake in the code around the driver.
 */
export function failureIn<Reply>(
  error: unknown,
  isReply: (error: unknown) => error is Reply,
  meaning: (reply: Reply) => SqlError,
): SqlError {
  for (let at = error, i = 0; at !== undefined && i < mostAround; at = insideOf(at), i++) {
    if (isReply(at)) return meaning(at);
  }
  if (error instanceof TypeError || error instanceof ReferenceError) {
    return new SqlError("lost", `the connection failed: ${error.name}: ${error.message}`);
  }
  const { code } = (error ?? {}) as { readonly code?: unknown };
  const why = typeof code === "string" && /^\w{1,40}$/.test(code) ? ` (${code})` : "";
  return new SqlError("lost", `the connection gave no answer${why}`);
}

function insideOf(error: unknown): unknown {
  if (typeof error !== "object" || error === null) return undefined;
  const { cause, driverError, original } = error as Readonly<Record<string, unknown>>;
  return cause ?? driverError ?? original;
}
