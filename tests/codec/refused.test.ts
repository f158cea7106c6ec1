import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import type { UnsupportedValueError } from "../../src/base/errors.ts";
import { isHoldfastError } from "../../src/base/errors.ts";
import { json } from "../../src/codec/index.ts";
import { formatPath } from "../../src/codec/path.ts";
import { anyValue, objectOf } from "./support.ts";

class Money {
  readonly cents = 5;
}
class Moment extends Date {}
class Table extends Map<string, number> {}
class Bag extends Set<number> {}
class Bytes extends Uint8Array {}
class List extends Array<number> {}

const withProperty = (target: object, key: string | symbol): object => Object.assign(target, { [key]: 1 });

/** What is refused, and the steps from it to what the error names. */
const refused: [string, unknown, string][] = [
  ["a function", () => 1, ""],
  ["a class", Money, ""],
  ["a symbol", Symbol("s"), ""],
  ["a symbol key", { [Symbol("s")]: 1 }, "[Symbol(s)]"],
  ["a symbol key of an array", withProperty([1], Symbol("s")), "[Symbol(s)]"],
  ["a non-enumerable symbol key", Object.defineProperty({}, Symbol("s"), { value: 1 }), "[Symbol(s)]"],
  ["a class instance", new Money(), ""],
  ["a frozen class instance", Object.freeze(new Money()), ""],
  ["an object that inherits", Object.create({ a: 1 }), ""],
  ["an object that inherits from one without a prototype", Object.create(Object.create(null) as object), ""],
  ["a subclass of Date", new Moment(0), ""],
  ["a subclass of Map", new Table(), ""],
  ["a subclass of Set", new Bag(), ""],
  ["a subclass of Uint8Array", new Bytes(1), ""],
  ["a subclass of Array", new List(), ""],
  ["an own method toJSON", { toJSON: () => 1 }, ""],
  ["a hidden method toJSON", Object.defineProperty({ a: 1 }, "toJSON", { value: () => 1 }), ""],
  ["a hidden method toJSON of an array", Object.defineProperty([1], "toJSON", { value: () => 1 }), ""],
  ["a boxed number", Object(1), ""],
  ["a boxed string", Object("a"), ""],
  ["a boxed bigint", Object(1n), ""],
  ["a boxed symbol", Object(Symbol("s")), ""],
  ["a RegExp", /a/, ""],
  ["an Error", new Error("a"), ""],
  ["an ArrayBuffer", new ArrayBuffer(1), ""],
  ["a Float64Array", new Float64Array(1), ""],
  ["a Uint8ClampedArray", new Uint8ClampedArray(1), ""],
  ["a DataView", new DataView(new ArrayBuffer(1)), ""],
  ["a WeakMap", new WeakMap(), ""],
  ["a Promise", Promise.resolve(), ""],
  ["a URL", new URL("file:///a"), ""],
  ["a Proxy of an object", new Proxy({ a: 1 }, {}), ""],
  ["a Proxy of an array", new Proxy([1], {}), ""],
  [
    "the arguments of a function",
    (function () {
      return arguments;
    })(),
    "[Symbol(Symbol.iterator)]",
  ], // oxlint-disable-line prefer-rest-params
  ["a module", await import("../../src/codec/index.ts"), "[Symbol(Symbol.toStringTag)]"],
  ["a hole", [1, , 3], "[1]"], // oxlint-disable-line no-sparse-arrays
  ["a hole at the end", new Array(3), "[0]"], // oxlint-disable-line no-new-array
  ["a property of an array", withProperty([1, 2], "total"), ".total"],
  ["the result of a match", /a/.exec("a"), ".index"],
  ["a property of a date", withProperty(new Date(0), "zone"), ".zone"],
  ["a property of a map", withProperty(new Map(), "size2"), ".size2"],
  ["a property of a set", withProperty(new Set(), "a b"), '["a b"]'],
];

function pathOf(value: unknown): string {
  try {
    json.encode(value);
  } catch (error) {
    assert.ok(isHoldfastError(error, "UNSUPPORTED_VALUE"), String(error));
    const { path } = error as UnsupportedValueError;
    assert.ok(error.message.includes(path));
    return path;
  }
  assert.fail("it was not refused");
}

describe("json refuses", () => {
  for (const [name, value, suffix] of refused) {
    test(name, () => {
      assert.equal(pathOf(value), `$${suffix}`);
      assert.equal(pathOf({ items: [1, { at: value }] }), `$.items[1].at${suffix}`);
      assert.equal(pathOf({ now: new Date(0), items: [value] }), `$.items[0]${suffix}`);
    });
  }

  test("undefined as the value, and only there", () => {
    assert.equal(pathOf(undefined), "$");
    assert.deepStrictEqual(json.decode(json.encode({ a: undefined })), { a: undefined });
  });

  test("cycles, where they close", () => {
    const self: Record<string, unknown> = { a: 1 };
    self["self"] = self;
    assert.equal(pathOf(self), "$.self");
    const list: unknown[] = [0];
    list.push({ back: list });
    assert.equal(pathOf({ list }), "$.list[1].back");
    const map = new Map<string, unknown>();
    map.set("me", map);
    assert.equal(pathOf({ map }), "$.map[0][1]");
  });

  test("a cycle behind a large value, at once", () => {
    const node: Record<string, unknown> = { large: Array.from({ length: 20_000 }, (_, i) => ({ i })) };
    node["self"] = node;
    const start = performance.now();
    assert.equal(pathOf(node), "$.self");
    assert.ok(performance.now() - start < 5000);
  });

  test("keys and items of maps and sets, named as if they were arrays", () => {
    const fn = (): void => {};
    assert.equal(
      pathOf({
        m: new Map<unknown, unknown>([
          [1, 2],
          [fn, 3],
        ]),
      }),
      "$.m[1][0]",
    );
    assert.equal(pathOf({ m: new Map<unknown, unknown>([[1, { a: fn }]]) }), "$.m[0][1].a");
    assert.equal(pathOf({ s: new Set<unknown>([1, [fn]]) }), "$.s[1][0]");
  });

  test("naming the class, never the value", () => {
    assert.throws(() => json.encode({ price: new Money() }), /an instance of Money at \$\.price/);
    assert.throws(
      () => json.encode({ note: "s3cret", at: Symbol("x") }),
      (error: Error) => !error.message.includes("s3cret"),
    );
  });

  test("what it describes without running its code", () => {
    const trap = Object.create({
      get constructor() {
        throw new Error("ran");
      },
    }) as object;
    assert.equal(pathOf([trap]), "$[0]");
  });
});

describe("json names exactly the path", () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("property" as const),
      name: fc.oneof(fc.string(), fc.constantFrom("__proto__", "a", "@hf:date")),
    }),
    fc.record({ kind: fc.constant("index" as const), before: fc.array(anyValue, { maxLength: 3 }) }),
    fc.record({ kind: fc.constant("value" as const), before: fc.array(anyValue, { maxLength: 2 }) }),
    fc.record({ kind: fc.constant("item" as const) }),
  );

  test("wherever a refused thing is planted", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...refused),
        fc.array(step, { maxLength: 8 }),
        anyValue,
        ([, planted, suffix], steps, sibling) => {
          let value = planted;
          const path: (string | number)[] = [];
          for (const next of steps) {
            if (next.kind === "property") {
              // Before it, so that the walk has to pass it; an index-like name would be moved to the front.
              value = objectOf(
                [
                  ["sibling", sibling],
                  [next.name, value],
                ].filter(([name]) => name !== "sibling" || next.name !== "sibling") as [string, unknown][],
                Object.prototype,
              );
              path.unshift(next.name);
            } else if (next.kind === "index") {
              value = [...next.before, value];
              path.unshift(next.before.length);
            } else if (next.kind === "value") {
              const entries = next.before.map((item, i): [unknown, unknown] => [`k${i}`, item]);
              path.unshift(entries.length, 1);
              value = new Map([...entries, ["last", value]]);
            } else {
              path.unshift(0);
              value = new Set([value]);
            }
          }
          assert.equal(pathOf(value), formatPath(path) + suffix);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("formatPath", () => {
  test("writes steps as one would in code", () => {
    assert.equal(formatPath([]), "$");
    assert.equal(formatPath(["items", 3, "fn"]), "$.items[3].fn");
    assert.equal(formatPath(["a b", "", "0", 'say "x"', "é", "$_1"]), '$["a b"][""]["0"]["say \\"x\\""].é.$_1');
    assert.equal(formatPath(["\ud800", "a\nb"]), '$["\\ud800"]["a\\nb"]');
  });

  test("shortens long keys", () => {
    assert.equal(formatPath(["x".repeat(1000)]), `$["${"x".repeat(64)}…"]`);
  });
});
