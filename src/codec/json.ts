import { CorruptValueError, UnsupportedValueError } from "../base/errors.ts";
import type { Codec } from "./codec.ts";
import { pack } from "./pack.ts";
import { parse, textOf } from "./parse.ts";
import { isPlain } from "./plain.ts";
import { TAG_PREFIX } from "./tags.ts";
import { unpack } from "./unpack.ts";

/**
 * The default codec. What you save is what you load, as an independent copy, or `encode` throws
 * `UnsupportedValueError` naming the path.
 *
 * - Plain JSON values become the text that `JSON.stringify` makes, so a store's records are readable by anything.
 * - Also as they were: Date (invalid ones too), Map, Set, bigint, Uint8Array, Buffer, `undefined` in an object, array,
 * map or
 *   set, -0, NaN, infinities, lone surrogates, keys named `__proto__`, objects without a prototype. They are stored as
 *   objects with one key that starts with `@hf:`, so the text is always valid JSON; a plain object that looks like that
 *   is escaped.
 * - Refused: functions, symbols and symbol keys, instances of classes (subclasses of the above, Error, RegExp, boxed
 *   primitives, ArrayBuffer, other typed arrays), objects with a method `toJSON`, proxies, cycles, holes in arrays,
 *   properties on arrays, dates, maps and sets, nesting deeper than 1,000 levels, `undefined` itself.
 * - A value is a tree of its own enumerable properties, as for `JSON.stringify`: a getter is read, a non-enumerable
 *   property is not part of it, and an object that is met twice comes back as two.
 *
 * `decode` throws `CorruptValueError` for text that is no JSON, and for tags that it does not know.
 */
export const json: Codec = { name: "json", encode, decode };

function encode(value: unknown): string {
  try {
    if (isPlain(value)) {
      const text = JSON.stringify(value);
      if (!text.includes(TAG_PREFIX)) return text;
    }
    return JSON.stringify(pack(value));
  } catch (error) {
    // Text over the longest string, or a call from near the stack's end.
    if (error instanceof RangeError)
      throw new UnsupportedValueError("the value is too large to encode", { path: "$", cause: error });
    throw error;
  }
}

function decode(data: string | Uint8Array): unknown {
  const text = textOf(data);
  const tree = parse(text);
  if (!text.includes(TAG_PREFIX)) return tree;
  const value = unpack(tree);
  if (value === undefined) throw new CorruptValueError("the record holds undefined");
  return value;
}
