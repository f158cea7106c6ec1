import type { Backend } from "../port/index.ts";

/** Whether something is a backend, of whichever copy of the package. */
export function isBackend(target: unknown): target is Backend {
  const candidate = target as Partial<Backend> | null | undefined;
  return typeof candidate?.session === "function" && typeof candidate.open === "function";
}
