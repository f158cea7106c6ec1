import type { Backend } from "../port/index.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import type { Holdfast } from "./holdfast.ts";
import { resolveConnectOptions, type ConnectOptions } from "./options.ts";
import { parseUrl } from "./url.ts";
import { backendOf, closeOwn, type Reached } from "./registry.ts";

/**
 * Connects to where state, caches and locks are kept, by a URL or by a backend that you made. Resolves when it was reached.
 *
 * `file:./dir` (LMDB: every process of this machine), `memory:` (this process, fresh for each connect), `memory:name` (the
 * same for all who name it in this process), `null:` (keeps nothing, grants every lock).
 *
 * Rejects with InvalidArgumentError for a URL or an option that is not valid, UnsupportedError for a backend that this version
 * has not or whose driver is missing, UnavailableError if it could not be reached within `timeout`. `close()` closes what was
 * connected by a URL; a backend that you made is yours to close.
 */
export async function connect(target: string | Backend, options?: ConnectOptions): Promise<Holdfast> {
  const settings = resolveConnectOptions(options);
  const reached: Reached[] = [];
  try {
    reached.push(await reach(target, "the first argument"));
    if (options?.cache !== undefined) reached.push(await reach(options.cache, "cache"));
    // Loaded here, so that importing the package costs little where it is not used.
    const { openHoldfast } = await import("./holdfast.ts");
    return await openHoldfast(reached, settings);
  } catch (error) {
    await closeOwn(reached);
    throw error;
  }
}

async function reach(target: unknown, what: string): Promise<Reached> {
  if (typeof target === "string") return { backend: await backendOf(parseUrl(target)), own: true };
  if (isBackend(target)) return { backend: target, own: false };
  throw new InvalidArgumentError(`${what} must be a URL or a backend`);
}

function isBackend(target: unknown): target is Backend {
  const candidate = target as Partial<Backend> | null | undefined;
  return typeof candidate?.session === "function" && typeof candidate.open === "function";
}
