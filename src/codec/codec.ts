import type { ErrorContext } from "../base/errors.ts";
import { CorruptValueError, isHoldfastError, UnsupportedValueError } from "../base/errors.ts";

/**
 * How the values of a store become what the backend keeps, and back. The default is {@link json}; bring your own for
 * compression, encryption or another format. Both functions are synchronous and must not keep or change what they get.
 */
export interface Codec {
  /** Names the codec in error messages. */
  readonly name: string;
  /**
   * Turns a value into well-formed text or bytes that share nothing with it. What it throws rejects the write with
   * `UnsupportedValueError` (the thrown error is its `cause`), and nothing is written.
   */
  encode(value: unknown): string | Uint8Array;
  /**
   * Turns what `encode` returned back into the value: text comes back as text, bytes as bytes. What it throws is
   * reported as `CorruptValueError` (the thrown error is its `cause`), and the record stays as it is. Returning
   * `undefined` is refused in the same way, since it would read as "no such record".
   */
  decode(data: string | Uint8Array): unknown;
}

type Where = Pick<ErrorContext, "key" | "backend">;

/**
 * Encodes `value`; the result is the caller's alone. Whatever goes wrong is an `UnsupportedValueError` that bears
 * `where`.
 */
export function encodeWith(codec: Codec, value: unknown, where?: Where): string | Uint8Array {
  let data: unknown;
  try {
    data = codec.encode(value);
  } catch (error) {
    if (isHoldfastError(error, "UNSUPPORTED_VALUE")) {
      if (where === undefined) throw error;
      const path = (error as UnsupportedValueError).path;
      throw new UnsupportedValueError(error.message, { ...where, path, cause: error.cause });
    }
    throw unsupported(codec, "failed to encode the value", where, error);
  }
  if (typeof data === "string") {
    if (data.isWellFormed()) return data;
    throw unsupported(codec, "returned text that holds a lone surrogate", where);
  }
  // A copy, for a codec may return the caller's own bytes or a buffer that it uses again.
  if (data instanceof Uint8Array) return Uint8Array.from(data);
  throw unsupported(codec, `returned ${kindOf(data)} instead of a string or a Uint8Array`, where);
}

/**
 * Decodes what {@link encodeWith} returned; `data` stays untouched. Whatever goes wrong is a `CorruptValueError` that
 * bears `where`.
 */
export function decodeWith(codec: Codec, data: string | Uint8Array, where?: Where): unknown {
  let value: unknown;
  try {
    value = codec.decode(typeof data === "string" ? data : Uint8Array.from(data));
  } catch (error) {
    if (isHoldfastError(error, "CORRUPT_VALUE")) {
      if (where === undefined) throw error;
      throw new CorruptValueError(error.message, { ...where, cause: error.cause });
    }
    throw new CorruptValueError(`the codec "${codec.name}" failed to decode the record`, { ...where, cause: error });
  }
  if (value !== undefined) return value;
  throw new CorruptValueError(`the codec "${codec.name}" decoded the record to undefined`, { ...where });
}

function unsupported(codec: Codec, what: string, where?: Where, cause?: unknown): UnsupportedValueError {
  return new UnsupportedValueError(`the codec "${codec.name}" ${what}`, { ...where, path: "$", cause });
}

function kindOf(data: unknown): string {
  return data === null ? "null" : data instanceof Promise ? "a promise" : typeof data;
}
