import type { Fault } from "./item.ts";

/** What of an error is kept: no stack, and a bounded text. Anything can be thrown, also what has no text. */
export function describe(error: unknown): Fault {
  try {
    if (error instanceof Error) {
      const { name, message } = error as { readonly name: unknown; readonly message: unknown };
      return { name: String(name).slice(0, 100), message: String(message).slice(0, 1000) };
    }
    return { name: "Error", message: String(error).slice(0, 1000) };
  } catch {
    return { name: "Error", message: "something was thrown that has no text" };
  }
}
