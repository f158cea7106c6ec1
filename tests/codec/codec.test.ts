import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { HoldfastError, UnsupportedValueError } from "../../src/base/errors.ts";
import { isHoldfastError } from "../../src/base/errors.ts";
import type { Codec } from "../../src/codec/index.ts";
import { decodeWith, encodeWith, json } from "../../src/codec/index.ts";

const upper: Codec = {
  name: "upper",
  encode: (value) => String(value).toUpperCase(),
  decode: (data) => String(data).toLowerCase(),
};
const identity: Codec = { name: "identity", encode: (value) => value as Uint8Array, decode: (data) => data };

function failure(call: () => unknown): HoldfastError {
  try {
    call();
  } catch (error) {
    assert.ok(isHoldfastError(error), String(error));
    return error;
  }
  return assert.fail("it did not throw");
}

describe("encodeWith and decodeWith", () => {
  test("use the codec", () => {
    assert.equal(encodeWith(upper, "a"), "A");
    assert.equal(decodeWith(upper, "A"), "a");
    assert.equal(encodeWith(json, { a: 1 }), '{"a":1}');
    assert.deepStrictEqual(decodeWith(json, '{"a":1}'), { a: 1 });
  });

  test("share no bytes with the codec", () => {
    const bytes = new Uint8Array([1, 2]);
    const stored = encodeWith(identity, bytes) as Uint8Array;
    bytes[0] = 9;
    assert.deepStrictEqual(stored, new Uint8Array([1, 2]));
    const loaded = decodeWith(identity, stored) as Uint8Array;
    loaded[0] = 9;
    assert.deepStrictEqual(stored, new Uint8Array([1, 2]));
  });

  test("give the codec plain bytes, also for a Buffer", () => {
    assert.equal(Object.getPrototypeOf(decodeWith(identity, Buffer.from("a"))), Uint8Array.prototype);
    assert.equal(Object.getPrototypeOf(encodeWith(identity, Buffer.from("a"))), Uint8Array.prototype);
  });

  test("report what the codec throws as its cause", () => {
    const thrown = new Error("out of ink");
    const broken: Codec = {
      name: "broken",
      encode: () => {
        throw thrown;
      },
      decode: () => {
        throw thrown;
      },
    };
    const where = { key: "42", backend: "memory" };
    const encoding = failure(() => encodeWith(broken, 1, where)) as UnsupportedValueError;
    assert.deepEqual(
      [encoding.code, encoding.cause, encoding.path, encoding.key, encoding.backend],
      ["UNSUPPORTED_VALUE", thrown, "$", "42", "memory"],
    );
    const decoding = failure(() => decodeWith(broken, "1", where));
    assert.deepEqual(
      [decoding.code, decoding.cause, decoding.key, decoding.backend],
      ["CORRUPT_VALUE", thrown, "42", "memory"],
    );
  });

  test("keep the path of the json codec and add the key", () => {
    const encoding = failure(() => encodeWith(json, { a: [() => 1] }, { key: "42" })) as UnsupportedValueError;
    assert.deepEqual([encoding.code, encoding.path, encoding.key], ["UNSUPPORTED_VALUE", "$.a[0]", "42"]);
    assert.equal(failure(() => encodeWith(json, undefined)).code, "UNSUPPORTED_VALUE");
    const decoding = failure(() => decodeWith(json, "{", { key: "42" }));
    assert.deepEqual([decoding.code, decoding.key], ["CORRUPT_VALUE", "42"]);
    assert.equal(failure(() => decodeWith(json, "{")).code, "CORRUPT_VALUE");
  });

  for (const [name, data] of [
    ["undefined", undefined],
    ["null", null],
    ["a number", 1],
    ["a promise", Promise.resolve("a")],
    ["an ArrayBuffer", new ArrayBuffer(1)],
    ["text with a lone surrogate", "\ud800"],
  ] as const) {
    test(`refuse a codec that returns ${name}`, () => {
      const wrong: Codec = { ...identity, encode: () => data as unknown as string };
      assert.equal(failure(() => encodeWith(wrong, 1)).code, "UNSUPPORTED_VALUE");
    });
  }

  test("refuse a codec that decodes to undefined", () => {
    assert.equal(failure(() => decodeWith({ ...identity, decode: () => undefined }, "a")).code, "CORRUPT_VALUE");
  });
});
