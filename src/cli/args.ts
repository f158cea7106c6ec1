import { parseArgs, type ParseArgsConfig } from "node:util";

import { UsageError } from "./exit.ts";

/** `parseArgs`, whose complaints are usage errors. */
export function parse<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError((error as Error).message.replace(/\. To specify a positional argument.*$/s, ""));
  }
}

/** A whole number within bounds; undefined where the option was not given. */
export function wholeNumber(
  value: string | undefined,
  option: string,
  least: number,
  most: number,
): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= least && number <= most) return number;
  throw new UsageError(`--${option} must be a whole number from ${least} to ${most}, got ${JSON.stringify(value)}`);
}

/** One of a few words; undefined where the option was not given. */
export function oneOf<const W extends string>(
  value: string | undefined,
  option: string,
  words: readonly W[],
): W | undefined {
  if (value === undefined) return undefined;
  const found = words.find((word) => word === value);
  if (found === undefined)
    throw new UsageError(`--${option} must be ${words.join(" or ")}, got ${JSON.stringify(value)}`);
  return found;
}
