import { InvalidArgumentError } from "../base/errors.ts";
import type { Backend, BackendDefinition, Use } from "../port/index.ts";
import { isBackend } from "./is-backend.ts";
import { openHoldfast, type Holdfast } from "./holdfast.ts";
import { resolveConnectOptions, type ConnectOptions } from "./options.ts";
import { closeOwn, findBackend, type Reached } from "./registry.ts";

/** The work of `connect`. */
export async function reachHoldfast(target: string | Backend, options: ConnectOptions | undefined): Promise<Holdfast> {
  const settings = resolveConnectOptions(options);
  const reached: Reached[] = [];
  try {
    reached.push(await reach(target, "the first argument", "all", options?.backends));
    if (options?.cache !== undefined) reached.push(await reach(options.cache, "cache", "cache", options.backends));
    return await openHoldfast(reached, settings);
  } catch (error) {
    await closeOwn(reached);
    throw error;
  }
}

/** The backend of a URL, or the given one. Throws InvalidArgumentError. */
export async function reach(
  target: unknown,
  what: string,
  use: Use,
  backends: readonly BackendDefinition[] | undefined,
): Promise<Reached> {
  if (typeof target === "string") return { backend: await findBackend(target, use, backends), own: true };
  if (isBackend(target)) return { backend: target, own: false };
  throw new InvalidArgumentError(`${what} must be a URL or a backend`);
}
