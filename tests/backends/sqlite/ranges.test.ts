import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pastPrefix } from "../../../src/backends/sqlite/ranges.ts";

const text = fc.string({
  unit: fc.constantFrom("a", "\0", "é", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}"),
  maxLength: 4,
});

test("a text is between a prefix and what is past it where it begins with it, and nowhere else", () => {
  fc.assert(
    fc.property(text, text, (prefix, other) => {
      const end = pastPrefix(prefix);
      const bytes = Buffer.from(other);
      const isBetween =
        bytes.compare(Buffer.from(prefix)) >= 0 && (end === undefined || bytes.compare(Buffer.from(end)) < 0);
      assert.equal(isBetween, other.startsWith(prefix));
    }),
  );
});
