import { InvalidArgumentError } from "./errors.ts";

/** Milliseconds, or a number with a unit: `"250ms"`, `"10s"`, `"5m"`, `"2h"`, `"1d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}` | (string & {});

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const pattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
/** Longest finite duration: about 285 years, so that every sum with a wall clock stays exact. */
const longest = 9e12;

/**
 * Whole milliseconds of `value`, at least 1 (or 0 where `zero` allows it). Throws InvalidArgumentError, naming `what`.
 */
export function toMs(value: unknown, what: string, options?: { readonly zero?: boolean }): number {
  const ms = typeof value === "string" ? parse(value) : value;
  if (typeof ms !== "number" || !Number.isFinite(ms) || ms < 0 || ms > longest || (ms === 0 && !options?.zero)) {
    const shown =
      typeof value === "string"
        ? JSON.stringify(value.slice(0, 40))
        : typeof value === "number"
          ? String(value)
          : typeof value;
    throw new InvalidArgumentError(
      `${what} must be ${options?.zero ? "0 or " : ""}a positive, finite duration: ` +
        `milliseconds or a string such as "250ms", "10s", "5m", "1d"; got ${shown}`,
    );
  }
  return Math.ceil(ms);
}

/** As {@link toMs}, with `"never"` as `Infinity`. */
export function toMsOrNever(value: unknown, what: string, options?: { readonly zero?: boolean }): number {
  return value === "never" ? Infinity : toMs(value, `${what} (or "never")`, options);
}

/** What was parsed before: an application has a handful of texts, and gives one with each of a million calls. */
const parsed = new Map<string, number>();
const mostParsed = 256;

function parse(text: string): number {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const match = pattern.exec(text);
  if (!match) return Number.NaN;
  const ms = Number(match[1]) * (units[match[2] as string] as number);
  if (parsed.size < mostParsed) parsed.set(text, ms);
  return ms;
}
