/**
 * What JSON cannot say is stored as an object whose only key is a tag, such as
 * `{"@hf:date":"2026-11-23T10:00:00.000Z"}`. Tags are part of every stored record: never change the meaning of one.
 */
export const TAG_PREFIX = "@hf:";

/** A plain object whose only key starts with this was `@hf:` and the rest of the key before it was stored. */
export const ESCAPE_PREFIX = "@hf::";

/** The tags by what they stand for. */
export const Tag = {
  /** ISO 8601 text, or null for an invalid date. */
  date: "@hf:date",
  /** Array of `[key, value]`, in the order of insertion. */
  map: "@hf:map",
  /** Array of the items, in the order of insertion. */
  set: "@hf:set",
  /** Decimal text. */
  bigint: "@hf:bigint",
  /** A Uint8Array as base64. */
  bytes: "@hf:bytes",
  /** A Node.js Buffer as base64. */
  buffer: "@hf:buffer",
  /** `"-0"`, `"NaN"`, `"Infinity"` or `"-Infinity"`. */
  number: "@hf:number",
  /** null. */
  undefined: "@hf:undefined",
  /** An object without a prototype, as the object of its properties. */
  bare: "@hf:bare",
} as const;

/** Sets an own property, also one named `__proto__`, which an assignment would take for the prototype. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") target[key] = value;
  else Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}
