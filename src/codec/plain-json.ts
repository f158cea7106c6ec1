import { UnsupportedValueError } from "../base/errors.ts";
import type { Codec } from "./codec.ts";
import { parse, textOf } from "./parse.ts";

/**
 * A codec with the meaning of `JSON.stringify` and `JSON.parse`, for instances of classes, such as entities of an ORM,
 * and for what has a method `toJSON`. What is loaded is plain data, and not always what was saved: a Date comes back as
 * text, a Map as `{}`, NaN as null, and functions and `undefined` are left out.
 *
 * `encode` throws `UnsupportedValueError` for what `JSON.stringify` makes no text of (`undefined`, a function) or
 * refuses (a cycle, a bigint). `decode` throws `CorruptValueError` for text that is no JSON. Records of plain JSON
 * values are the same as those of {@link json}, so a store can change from one to the other.
 */
export const plainJson: Codec = { name: "plainJson", encode, decode: (data) => parse(textOf(data)) };

function encode(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text !== undefined) return text;
  throw new UnsupportedValueError("JSON.stringify makes no text of the value", { path: "$" });
}
