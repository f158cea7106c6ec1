import { SqlError } from "./client.ts";

/** How many errors may stand around what the server said. */
const mostAround = 5;

/**
 * What an error of the application's driver means: what the server said is in it, or in one that others have put around
 * it; `meaning` knows it when it sees it. Nothing of their messages is told, for they may hold values; but that of a
 * mistake in the code around the driver.
 */
export function failureIn(error: unknown, meaning: (error: unknown) => SqlError | undefined): SqlError {
  for (let at = error, i = 0; at !== undefined && i < mostAround; at = insideOf(at), i++) {
    const known = meaning(at);
    if (known) return known;
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
  const { cause, driverError, original, meta } = error as Readonly<Record<string, unknown>>;
  return cause ?? driverError ?? original ?? (meta as { readonly driverAdapterError?: unknown })?.driverAdapterError;
}
