import type { Fault } from "./item.ts";

/** What of an error is kept: no stack, and a bounded text. */
export function describe(error: unknown): Fault {
  if (error instanceof Error) return { name: error.name.slice(0, 100), message: error.message.slice(0, 1000) };
  return { name: "Error", message: String(error).slice(0, 1000) };
}
