import { InvalidArgumentError } from "../base/errors.ts";
import { checkKey } from "../base/keys.ts";
import type { Condition } from "../port/index.ts";
import type { If } from "./options.ts";

/** Longest version, in characters; longer ones were never given out. */
const longestVersion = 64;

/**
 * The condition of `if`, for the port. Throws InvalidArgumentError for anything else, and for an entry of another key.
 */
export function resolveCondition(condition: If | undefined, key: string): Condition | undefined {
  if (condition === undefined) return undefined;
  if (typeof condition !== "object" || condition === null) {
    throw new InvalidArgumentError("if must be { absent: true }, { version } or an entry", { key });
  }
  const { absent, version, key: entryKey } = condition as { absent?: unknown; version?: unknown; key?: unknown };
  if (absent !== undefined) {
    if (absent !== true || version !== undefined) {
      throw new InvalidArgumentError("if must be { absent: true } or { version }, not both and nothing else", { key });
    }
    return { absent: true };
  }
  if (typeof version !== "string" || version === "" || version.length > longestVersion) {
    throw new InvalidArgumentError("if.version must be a version that this store gave", { key });
  }
  if (entryKey !== undefined && entryKey !== key)
    throw new InvalidArgumentError("if is an entry of another key", { key });
  return { id: version };
}

/** As {@link resolveCondition}, for calls that need an entry: `if` must be a version. */
export function resolveVersion(condition: If | undefined, key: string): Condition | undefined {
  const resolved = resolveCondition(condition, key);
  if (resolved && "absent" in resolved)
    throw new InvalidArgumentError("if must be a version: only save takes { absent: true }", { key });
  return resolved;
}

/** The prefix; empty if there is none. Throws InvalidArgumentError for anything but text. */
export function resolvePrefix(prefix: unknown): string {
  return prefix === undefined || prefix === "" ? "" : checkKey(prefix, "prefix");
}
