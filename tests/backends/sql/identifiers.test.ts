import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import {
  checkPrefix,
  checkSchema,
  literal,
  quoted,
  tableNames,
  type QuoteMark,
} from "../../../src/backends/sql/identifiers.ts";
import { isHoldfastError } from "../../../src/base/errors.ts";

const marks = fc.constantFrom<QuoteMark>('"', "`");
/** Texts that would end a name, a literal or a statement. */
const evil = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.stringMatching(/^["'`;\\ -]{0,8}[a-z]{0,3}["'`;\\ \n-]{0,8}$/),
  fc.constantFrom(
    'a"; DROP TABLE x; --',
    "a`; DROP TABLE x; -- ",
    "a' OR '1'='1",
    "a\\",
    "\u2019",
    "Holdfast_",
    "a-b",
    "1a",
    "",
  ),
);

/** Reads one identifier as a server does, and gives it with the rest. */
function readName(text: string, mark: QuoteMark): [name: string, rest: string] {
  assert.equal(text[0], mark);
  let name = "";
  for (let i = 1; i < text.length; i++) {
    if (text[i] !== mark) name += text[i];
    else if (text[i + 1] === mark) name += text[i++];
    else return [name, text.slice(i + 1)];
  }
  throw new Error("the name does not end");
}

void it("takes plain prefixes and schemas alone, and quotes none that it refuses", () => {
  const refused = (name: unknown, check: (name: unknown, backend: string) => string): void => {
    assert.throws(
      () => check(name, "toy"),
      (error) => {
        assert.ok(isHoldfastError(error, "INVALID_ARGUMENT"));
        return typeof name !== "string" || name.length < 4 || !error.message.includes(name);
      },
    );
  };
  for (const check of [checkPrefix, checkSchema]) {
    fc.assert(
      fc.property(evil, (name) => {
        if (/^[a-z_][a-z0-9_]{0,30}$/.test(name)) assert.equal(check(name, "toy"), name);
        else refused(name, check);
      }),
    );
    for (const name of [undefined, null, 1, ["a"], { toString: () => "a" }, "a".repeat(32), "a\n", "a\0", "ä", "A"]) {
      refused(name, check);
    }
    assert.equal(check("a".repeat(31), "toy"), "a".repeat(31));
  }
});

void it("quotes any name so that it ends where it ends", () => {
  fc.assert(
    fc.property(evil, evil, marks, (schema, prefix, mark) => {
      if (`${schema}${prefix}`.includes("\0")) {
        assert.throws(() => tableNames(mark, prefix, schema), { code: "INVALID_ARGUMENT" });
        return;
      }
      const [first, rest] = readName(tableNames(mark, prefix, schema).records, mark);
      assert.equal(first, schema);
      assert.equal(rest[0], ".");
      assert.deepEqual(readName(rest.slice(1), mark), [`${prefix}records`, ""]);
      assert.deepEqual(readName(quoted(prefix, mark), mark), [prefix, ""]);
      assert.deepEqual(readName(tableNames(mark, prefix).locks, mark), [`${prefix}locks`, ""]);
    }),
  );
});

void it("writes no literal that could end before its end", () => {
  fc.assert(
    fc.property(evil, (text) => {
      if (/^[\w.:-]*$/.test(text)) assert.equal(literal(text), `'${text}'`);
      else assert.throws(() => literal(text));
    }),
  );
});
