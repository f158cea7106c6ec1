import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runInNewContext } from "node:vm";

import * as fc from "fast-check";

import { isHoldfastError } from "../../src/base/errors.ts";
import { json } from "../../src/codec/index.ts";
import { anyValue, objectOf, plainValue, reachable } from "./support.ts";

const text = (value: unknown): string => json.encode(value) as string;
const roundTrip = (value: unknown): unknown => json.decode(json.encode(value));

describe("json: any value", () => {
  test("comes back as it was, by valid JSON, sharing nothing", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const encoded = text(value);
        JSON.parse(encoded);
        const decoded = json.decode(encoded);
        assert.deepStrictEqual(decoded, value);
        const before = reachable(value);
        for (const object of reachable(decoded)) assert.ok(!before.has(object));
        assert.equal(text(decoded), encoded, "the order of properties, entries and items is kept");
      }),
      { numRuns: 2000 },
    );
  });

  test("is not changed by being encoded", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const first = text(value);
        assert.equal(text(value), first);
      }),
    );
  });

  test("comes back from bytes as from text", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        assert.deepStrictEqual(json.decode(new TextEncoder().encode(text(value))), value);
      }),
    );
  });
});

describe("json: plain values", () => {
  test("become what JSON.stringify makes, unless a lone key looks like a tag", () => {
    fc.assert(
      fc.property(plainValue, (value) => {
        const expected = JSON.stringify(value);
        fc.pre(!/\{"@hf:[^"\\]*":/.test(expected));
        assert.equal(text(value), expected);
      }),
      { numRuns: 2000 },
    );
  });

  test("that look like a tag become what JSON.stringify makes with that key escaped", () => {
    assert.equal(text({ a: { "@hf:date": 1 } }), '{"a":{"@hf::date":1}}');
    assert.equal(text({ "@hf:date": 1, b: 2 }), '{"@hf:date":1,"b":2}');
    assert.equal(text(["@hf:date"]), '["@hf:date"]');
  });

  test("around an extended one stay as they are", () => {
    assert.equal(
      text({ id: 7, at: new Date(0), tags: ["a"] }),
      '{"id":7,"at":{"@hf:date":"1970-01-01T00:00:00.000Z"},"tags":["a"]}',
    );
  });
});

describe("json: examples", () => {
  const twice = { a: 1 };
  const examples: [string, unknown][] = [
    ["null", null],
    ["an empty string", ""],
    ["a lone surrogate", { "\ud800": "\udfff" }],
    ["-0 at the top", -0],
    ["NaN at the top", Number.NaN],
    ["infinities", [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ["undefined in an object and an array", { a: undefined, b: [undefined, 1, undefined] }],
    ["an invalid date", new Date(Number.NaN)],
    ["dates far away", [new Date(8.64e15), new Date(-8.64e15), new Date(-1)]],
    ["bigints", [0n, -1n, 2n ** 200n]],
    ["empty containers", [{}, [], new Map(), new Set(), new Uint8Array()]],
    [
      "a map keyed by anything",
      new Map<unknown, unknown>([
        [{ a: 1 }, Number.NaN],
        [undefined, undefined],
        [new Date(5), new Set([-1n])],
      ]),
    ],
    ["an object without a prototype that looks like a tag", objectOf([["@hf:date", null]], null)],
    ["an own __proto__", JSON.parse('{"__proto__":{"polluted":true}}')],
    [
      "an own __proto__ beside a date",
      objectOf(
        [
          ["__proto__", { a: new Date(0) }],
          ["b", 1],
        ],
        Object.prototype,
      ),
    ],
    ["a property toJSON that is no method", { toJSON: 1 }],
    ["a Buffer", Buffer.from("abc")],
    ["a part of a larger buffer", new Uint8Array(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2)],
    ["the same object twice", [twice, twice]],
    ["a tag in a tag", { "@hf:map": [{ "@hf:set": [new Map([["@hf:date", { "@hf::": 1 }]])] }] }],
  ];
  for (const [name, value] of examples) {
    test(name, () => assert.deepStrictEqual(roundTrip(value), value));
  }

  test("an own __proto__ never becomes a prototype", () => {
    const decoded = roundTrip({
      x: objectOf([["__proto__", { polluted: true, at: new Date(0) }]], Object.prototype),
    }) as {
      x: { polluted?: boolean };
    };
    assert.equal(Object.getPrototypeOf(decoded.x), Object.prototype);
    assert.equal(decoded.x.polluted, undefined);
  });

  test("the result of JSON.rawJSON is an object like any other", () => {
    const { rawJSON } = JSON as { rawJSON?: (text: string) => object };
    const value = rawJSON?.("1") ?? objectOf([["rawJSON", "1"]], null);
    assert.deepStrictEqual({ ...(roundTrip([value]) as object[])[0] }, { rawJSON: "1" });
  });

  test("an object met twice comes back as two", () => {
    const [a, b] = roundTrip([twice, twice]) as [object, object];
    assert.notEqual(a, b);
  });

  test("a getter is read, a non-enumerable property is left out", () => {
    const value = Object.defineProperty(
      {
        get double() {
          return 4;
        },
      },
      "hidden",
      { value: () => 1 },
    );
    assert.equal(text(value), '{"double":4}');
    assert.equal(
      text({ value, at: new Date(0) }),
      '{"value":{"double":4},"at":{"@hf:date":"1970-01-01T00:00:00.000Z"}}',
    );
  });

  test("bytes come back with memory of their own", () => {
    const [bytes, buffer] = roundTrip([new Uint8Array([1, 2]), Buffer.from([3])]) as [Uint8Array, Buffer];
    assert.equal(bytes.buffer.byteLength, 2);
    assert.equal(buffer.buffer.byteLength, 1);
  });

  test("values of another realm come back as those of this one", () => {
    const foreign: unknown = runInNewContext(
      "({ a: [1], d: new Date(5), m: new Map([[1, { b: 2 }]]), s: new Set([3]), u: new Uint8Array([4]) })",
    );
    assert.deepStrictEqual(roundTrip(foreign), {
      a: [1],
      d: new Date(5),
      m: new Map([[1, { b: 2 }]]),
      s: new Set([3]),
      u: new Uint8Array([4]),
    });
  });

  test("the copy is of the value as of the call", () => {
    const value = { at: new Date(0), bytes: new Uint8Array([1]), list: [1] };
    const encoded = json.encode(value);
    value.at.setTime(9);
    value.bytes[0] = 9;
    value.list.push(9);
    assert.deepStrictEqual(json.decode(encoded), { at: new Date(0), bytes: new Uint8Array([1]), list: [1] });
  });
});

describe("json: nesting", () => {
  const nested = (levels: number, leaf: unknown, wrap: (inner: unknown) => unknown): unknown => {
    let value = leaf;
    for (let i = 0; i < levels; i++) value = wrap(value);
    return value;
  };
  const wraps: [string, (inner: unknown) => unknown][] = [
    ["arrays", (inner) => [inner]],
    ["objects", (inner) => ({ inner })],
    ["sets", (inner) => new Set([inner])],
    ["maps", (inner) => new Map([[1, inner]])],
    ["objects without a prototype", (inner) => objectOf([["inner", inner]], null)],
  ];
  for (const [name, wrap] of wraps) {
    test(`${name}: 400 levels come back, 100,000 are refused`, () => {
      const value = nested(400, -0, wrap);
      assert.equal(text(roundTrip(value)), text(value));
      assert.throws(() => json.encode(nested(100_000, 1, wrap)), isUnsupportedValue);
    });
  }

  test("1,000 levels of plain JSON are stored as such", () => {
    const value = nested(1000, 1, (inner) => [inner]);
    assert.equal(text(value), JSON.stringify(value));
    assert.throws(() => json.encode([value]), isUnsupportedValue);
  });

  test("a record that is nested too deeply is corrupt, not a crash", () => {
    const record = `${"[".repeat(200_000)}{"@hf:undefined":null}${"]".repeat(200_000)}`;
    assert.throws(() => json.decode(record), isCorrupt);
  });

  test("a call from near the end of the stack is refused, not a crash", () => {
    const value = nested(90, 1, (inner) => [inner]);
    // Compiling a function takes stack too: what runs at its end has to have run before.
    assert.throws(() => json.encode([value, () => 1]), isUnsupportedValue);
    let refused = false;
    const recurse = (): void => {
      try {
        json.encode(value);
      } catch (error) {
        refused = isUnsupportedValue(error);
        throw error;
      }
      recurse();
    };
    assert.throws(recurse);
    assert.ok(refused, "encode needs more of the stack than the recursion around it, so it is the first to run out");
  });
});

describe("json: records that cannot be decoded", () => {
  const corrupt = [
    "",
    "{",
    '{"a":s3cret}',
    '{"@hf:undefined":null}',
    '{"@hf:undefined":0}',
    '{"@hf:later":1}',
    '{"@hf:":1}',
    '{"@hf:date":"yesterday"}',
    '{"@hf:date":"2026-11-23"}',
    '{"@hf:date":0}',
    '{"@hf:map":{}}',
    '{"@hf:map":[[1]]}',
    '{"@hf:map":[1]}',
    '{"@hf:set":null}',
    '{"@hf:bigint":"1e3"}',
    '{"@hf:bigint":"-0"}',
    '{"@hf:bigint":""}',
    '{"@hf:bigint":7}',
    '{"@hf:number":"1"}',
    '{"@hf:number":null}',
    '{"@hf:bytes":"a"}',
    '{"@hf:bytes":"a b="}',
    '{"@hf:bytes":[1]}',
    '{"@hf:buffer":"!!!!"}',
    '{"@hf:bare":[]}',
    '{"@hf:bare":null}',
    '{"@hf:bare":{"@hf:map":[]}}',
  ];
  for (const record of corrupt) {
    test(record === "" ? "an empty record" : record, () => {
      assert.throws(
        () => json.decode(record),
        (error) => isCorrupt(error) && !JSON.stringify([String(error), error.cause ?? null]).includes("s3cret"),
      );
    });
  }

  test("bytes that are no UTF-8", () => {
    assert.throws(() => json.decode(new Uint8Array([0x22, 0xff, 0x22])), isCorrupt);
  });

  test("any text either decodes or is corrupt", () => {
    const piece = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"@hf:map"',
      '"@hf:bare"',
      '"@hf:date"',
      '"@hf::"',
      '"a"',
      "1",
      "null",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          json.decode(pieces.join(""));
        } catch (error) {
          assert.ok(isCorrupt(error));
        }
      }),
      { numRuns: 3000 },
    );
  });
});

function isUnsupportedValue(error: unknown): boolean {
  return isHoldfastError(error, "UNSUPPORTED_VALUE");
}

function isCorrupt(error: unknown): error is Error {
  return isHoldfastError(error, "CORRUPT_VALUE");
}
