import { toMs, type Duration } from "../../base/durations.ts";
import { InvalidArgumentError } from "../../base/errors.ts";

/** How long an attempt to connect may take, in ms; an option wins over a parameter. Throws InvalidArgumentError. */
export function connectTimeoutOf(option: Duration | undefined, param: string | undefined): number {
  return toMs(option ?? numeric(param) ?? 5_000, "connectTimeout");
}

/** A whole number above 0. An option wins over a URL's parameter. Throws InvalidArgumentError. */
export function countOf(
  name: string,
  option: unknown,
  param: string | undefined,
  { usual, backend }: { readonly usual: number; readonly backend: string },
): number {
  const value = option ?? (param === undefined ? usual : Number(param || NaN));
  if (typeof value === "number" && Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError(`${name} must be a whole number above 0`, { backend });
}

/** One of the words, and the first of them for undefined. Throws InvalidArgumentError. */
export function oneOf<const Word extends string>(
  name: string,
  value: unknown,
  words: readonly [Word, ...Word[]],
  backend: string,
): Word {
  if (value === undefined) return words[0];
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`${name} must be ${words.map((word) => `"${word}"`).join(" or ")}`, { backend });
}

/** A duration in a URL may be a bare number of milliseconds. */
function numeric(text: string | undefined): Duration | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : text;
}
