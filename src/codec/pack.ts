import * as types from "node:util/types";

import { UnsupportedValueError } from "../base/errors.ts";
import { describe, kindOf } from "./kinds.ts";
import type { Step } from "./path.ts";
import { formatPath } from "./path.ts";
import { ESCAPE_PREFIX, setOwn, Tag, TAG_PREFIX } from "./tags.ts";

/**
 * Deepest nesting of a value, in steps of its path. Keeps every recursion here, and JSON's own, off the stack's end.
 */
const MAX_DEPTH = 1000;

/**
 * What `JSON.stringify` has to be given for `value`: a copy with tags for what JSON cannot say, which shares the parts
 * that it can.
 *
 * @throws UnsupportedValueError naming the path of the first thing that would not come back as it was.
 */
export function pack(value: unknown): unknown {
  const walk: Walk = { path: [], ancestors: new Set() };
  return value === undefined ? refuse(walk, "undefined, which stands for a missing record,") : packAny(value, walk);
}

interface Walk {
  /** From the root to the value at hand. */
  readonly path: Step[];
  /** The objects on that path. */
  readonly ancestors: Set<object>;
}

function refuse(walk: Walk, what: string): never {
  const path = formatPath(walk.path);
  const remedy = "store plain data, or use the codec plainJson, which goes by JSON.stringify";
  throw new UnsupportedValueError(`${what} at ${path} cannot be stored so that it comes back as it was: ${remedy}`, {
    path,
  });
}

function packAny(value: unknown, walk: Walk): unknown {
  switch (typeof value) {
    case "number":
      if (Object.is(value, -0)) return { [Tag.number]: "-0" };
      return Number.isFinite(value) ? value : { [Tag.number]: String(value) };
    case "bigint":
      return { [Tag.bigint]: value.toString() };
    case "undefined":
      return { [Tag.undefined]: null };
    case "object":
      return value === null ? null : packObject(value, walk);
    case "function":
    case "symbol":
      return refuse(walk, `a ${typeof value}`);
    default:
      return value;
  }
}

function packObject(value: object, walk: Walk): unknown {
  if (types.isProxy(value)) refuse(walk, "a Proxy");
  if (walk.ancestors.has(value)) refuse(walk, "a cycle");
  if (walk.path.length >= MAX_DEPTH) refuse(walk, `what is nested deeper than ${MAX_DEPTH} levels`);
  walk.ancestors.add(value);
  const packed = packKind(value, walk);
  walk.ancestors.delete(value);
  return packed;
}

function packKind(value: object, walk: Walk): unknown {
  const kind = kindOf(value);
  if (kind === "refused") return refuse(walk, describe(value));
  refuseSymbolKeys(value, walk);
  switch (kind) {
    case "object":
      refuseToJson(value, walk);
      return packProperties(value as Record<string, unknown>, walk);
    case "bare":
      refuseToJson(value, walk);
      // Spread, for JSON.stringify must not meet the result of JSON.rawJSON, which it would write unquoted.
      return { [Tag.bare]: packProperties({ ...value }, walk) };
    case "array":
      refuseToJson(value, walk);
      return packArray(value as readonly unknown[], walk);
    case "date":
      refuseProperties(value, walk);
      return { [Tag.date]: isoText(value as Date) };
    case "map":
      refuseProperties(value, walk);
      return { [Tag.map]: Array.from(value as Map<unknown, unknown>, (entry, i) => packStep(entry, i, walk)) };
    case "set":
      refuseProperties(value, walk);
      return { [Tag.set]: Array.from(value as Set<unknown>, (item, i) => packStep(item, i, walk)) };
    default:
      return { [Tag[kind]]: base64(value as Uint8Array) };
  }
}

function packStep(value: unknown, step: Step, walk: Walk): unknown {
  if (typeof value === "string") return value;
  walk.path.push(step);
  const packed = packAny(value, walk);
  walk.path.pop();
  return packed;
}

/** Copies only from the first property on that changes, for most of a value is plain. */
function packProperties(value: Record<string, unknown>, walk: Walk): Record<string, unknown> {
  const keys = Object.keys(value);
  const [only] = keys;
  if (only !== undefined && keys.length === 1 && only.startsWith(TAG_PREFIX)) {
    return { [ESCAPE_PREFIX + only.slice(TAG_PREFIX.length)]: packStep(value[only], only, walk) };
  }
  let copy: Record<string, unknown> | undefined;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    const property = value[key];
    const packed = packStep(property, key, walk);
    if (packed !== property) copy ??= firstProperties(value, keys, i);
    if (copy !== undefined) setOwn(copy, key, packed);
  }
  return copy ?? value;
}

function firstProperties(
  value: Record<string, unknown>,
  keys: readonly string[],
  count: number,
): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const key of keys.slice(0, count)) setOwn(copy, key, value[key]);
  return copy;
}

function packArray(value: readonly unknown[], walk: Walk): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let i = 0; i < value.length; i++) {
    const item = value[i];
    if (item === undefined && !Object.hasOwn(value, i)) {
      walk.path.push(i);
      refuse(walk, "a hole in an array");
    }
    const packed = packStep(item, i, walk);
    if (packed !== item) copy ??= value.slice(0, i);
    copy?.push(packed);
  }
  const extra = Object.keys(value)[value.length];
  if (extra !== undefined) {
    walk.path.push(extra);
    refuse(walk, "a property of an array");
  }
  return copy ?? value;
}

/** JSON would store what the method returns. */
function refuseToJson(value: { toJSON?: unknown }, walk: Walk): void {
  if (typeof value.toJSON === "function") refuse(walk, "an object with a method toJSON");
}

function refuseSymbolKeys(value: object, walk: Walk): void {
  const [symbol] = Object.getOwnPropertySymbols(value);
  if (symbol === undefined) return;
  walk.path.push(symbol);
  refuse(walk, "a symbol key");
}

/** Dates, maps and sets hold what they are inside: a property on top would be lost. */
function refuseProperties(value: object, walk: Walk): void {
  const [key] = Object.getOwnPropertyNames(value);
  if (key === undefined) return;
  walk.path.push(key);
  refuse(walk, "a property of a built-in object");
}

function isoText(date: Date): string | null {
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
