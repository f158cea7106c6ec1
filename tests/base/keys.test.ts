import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { isHoldfastError } from "../../src/base/errors.ts";
import type { Kind } from "../../src/base/keys.ts";
import {
  checkKey,
  checkName,
  checkService,
  keyId,
  MAX_KEY_BYTES,
  MAX_NAME_BYTES,
  space,
  spaceOfId,
  utf8Length,
} from "../../src/base/keys.ts";

const kinds: Kind[] = ["state", "cache", "stamp", "lock", "shared", "once", "result", "turn", "turns"];

/** Text of what ids are made of, so that wrong cuts would meet often. */
const tricky = fc.string({
  unit: fc.constantFrom("a", "b", ":", "1", "2", "s", "l", "\0", "é", "😀", "\uffff"),
  maxLength: 6,
});
const name = fc.oneof(
  tricky.filter((text) => text !== ""),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
);
const tuple = fc.tuple(fc.constantFrom(...kinds), tricky, name, name);
type Tuple = readonly [Kind, string, string, string];

function idOf([kind, service, label, key]: Tuple): string {
  return keyId({ space: space(kind, service, label), key });
}

/** Moves one character over a border between two parts: the nearest tuple that a careless encoding would confuse. */
function neighbour([kind, service, label, key]: Tuple): Tuple {
  return [kind, service + label.charAt(0), label.slice(1) || label, key];
}

describe("keyId", () => {
  test("differs for every two tuples", () => {
    fc.assert(
      fc.property(tuple, tuple, (a, b) => {
        assert.equal(idOf(a) === idOf(b), JSON.stringify(a) === JSON.stringify(b));
      }),
      { numRuns: 3000 },
    );
  });

  test("differs for all tuples of short parts, whatever their cut", () => {
    const parts = ["1", ":", "a", "1:", ":1", "a:", ":a", "1:a", "1:a1:b", "11:"];
    const seen = new Set<string>();
    let count = 0;
    for (const kind of kinds) {
      for (const service of ["", ...parts]) {
        for (const label of parts) {
          for (const key of parts) {
            seen.add(idOf([kind, service, label, key]));
            count++;
          }
        }
      }
    }
    assert.equal(seen.size, count);
  });

  test("tells its space", () => {
    fc.assert(
      fc.property(tuple, ([kind, service, label, key]) => {
        const of = space(kind, service, label);
        assert.deepEqual(spaceOfId(keyId({ space: of, key })), of);
        assert.deepEqual(spaceOfId(of.id), of);
      }),
      { numRuns: 1000 },
    );
    for (const text of ["", "s", "x0:1:a", "s1:", "s01:a1:b", "s0:0:", "s0:2:a", "s9:a1:b"]) {
      assert.equal(spaceOfId(text), undefined, text);
    }
  });

  test("differs for a character moved over a border", () => {
    fc.assert(
      fc.property(
        tuple.filter(([, , label]) => label.length > 1 && /^[ab:12sl]/.test(label)),
        (a) => {
          assert.notEqual(idOf(a), idOf(neighbour(a)));
        },
      ),
    );
    assert.notEqual(idOf(["state", "", "a", "b:c"]), idOf(["state", "", "a:b", "c"]));
    assert.notEqual(idOf(["state", "a", "b", "c"]), idOf(["state", "ab", "b", "c"]));
  });

  test("keeps what Unicode and case set apart", () => {
    for (const [a, b] of [
      ["a", "A"],
      ["é", "e\u0301"],
      ["a", "a "],
      ["ss", "ß"],
      ["k", "\u212a"],
    ] as const) {
      assert.notEqual(idOf(["lock", "", "n", a]), idOf(["lock", "", "n", b]));
    }
  });
});

describe("space", () => {
  test("has an id that is no prefix of another's, as text and as bytes", () => {
    fc.assert(
      fc.property(tuple, tuple, ([kindA, serviceA, nameA], [kindB, serviceB, nameB]) => {
        const a = space(kindA, serviceA, nameA).id;
        const b = space(kindB, serviceB, nameB).id;
        const same = kindA === kindB && serviceA === serviceB && nameA === nameB;
        assert.equal(b.startsWith(a), same);
        assert.equal(Buffer.from(b).subarray(0, Buffer.byteLength(a)).equals(Buffer.from(a)), same);
      }),
      { numRuns: 3000 },
    );
  });

  test("holds all of its keys and none of another's in one range", () => {
    fc.assert(
      fc.property(tuple, tuple, (a, b) => {
        const { id } = space(a[0], a[1], a[2]);
        const inSpace = a[0] === b[0] && a[1] === b[1] && a[2] === b[2];
        assert.ok(idOf(a).startsWith(id));
        assert.equal(idOf(b).startsWith(id), inSpace);
      }),
    );
  });

  test("has an id within the bytes that backends count on", () => {
    const longest = "é".repeat(MAX_NAME_BYTES / 2);
    assert.ok(Buffer.byteLength(space("state", longest, longest).id) <= 521);
    const ascii = "a".repeat(MAX_NAME_BYTES);
    assert.equal(Buffer.byteLength(space("state", ascii, ascii).id), 521);
  });

  test("has a different id for each kind", () => {
    assert.equal(new Set(kinds.map((kind) => space(kind, "s", "n").id)).size, kinds.length);
  });
});

describe("checks of keys, names and services", () => {
  const refuses = (call: () => unknown, why: RegExp): void => {
    assert.throws(call, (error: Error) => isHoldfastError(error, "INVALID_ARGUMENT") && why.test(error.message));
  };

  test("accept any other text, unchanged", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 200 }), (text) => {
        fc.pre(text.isWellFormed() && Buffer.byteLength(text) <= MAX_NAME_BYTES);
        assert.equal(checkKey(text), text);
        assert.equal(checkName(text), text);
        assert.equal(checkService(text), text);
      }),
    );
    assert.equal(checkService(""), "");
  });

  test("refuse by the byte", () => {
    for (const unit of ["a", "é", "€", "😀"]) {
      const bytes = Buffer.byteLength(unit);
      const key = unit.repeat(Math.floor(MAX_KEY_BYTES / bytes));
      assert.equal(checkKey(key), key);
      refuses(() => checkKey(key + unit), /1024 bytes/);
      const label = unit.repeat(Math.floor(MAX_NAME_BYTES / bytes));
      assert.equal(checkName(label), label);
      refuses(() => checkName(label + unit), /256 bytes/);
      refuses(() => checkService(label + unit), /256 bytes/);
    }
  });

  test("refuse what is empty, not well formed or no string", () => {
    refuses(() => checkKey(""), /key must not be empty/);
    refuses(() => checkName("", "the name of the lock"), /the name of the lock must not be empty/);
    for (const text of ["\ud800", "a\udc00", "\ud800\ud800\udc00", "\udc00\ud800"]) {
      for (const check of [checkKey, checkName, checkService]) refuses(() => check(text), /lone surrogate/);
    }
    for (const value of [undefined, null, 1, Symbol("s"), {}, ["a"], new String("a")]) {
      for (const check of [checkKey, checkName, checkService]) refuses(() => check(value), /must be a string/);
    }
  });

  test("count UTF-8 as the platform does", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.constantFrom("", "\ud800", "\udfff"),
        fc.string({ unit: "binary" }),
        (a, b, c) => {
          const text = a + b + c;
          assert.equal(utf8Length(text), text.isWellFormed() ? Buffer.byteLength(text) : -1);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
