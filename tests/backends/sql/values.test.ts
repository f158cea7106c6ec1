import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formats } from "../../../src/backends/sql/dialect.ts";
import { formatOf } from "../../../src/backends/sql/values.ts";
import { space } from "../../../src/base/keys.ts";

const state = space("state", "", "s");

describe("how a value is stored", () => {
  it("is as JSON where it is a state record that a strict server's JSON type holds", () => {
    const json = ['{"a":[1,null,"x"]}', '"\\\\u0000"', '"[[[[[[["', "1.5e300", "[[[[1]]]]", '"😀"', '"\\u00e9"'];
    for (const text of json) assert.equal(formatOf(state, text, 4), formats.json, text);
    const plain = [
      "",
      "text",
      "{",
      '"\u0000"',
      '"\\u0000"',
      '"\\ud800"',
      '"\\uDFFF"',
      "1e9999",
      '"\\\\\\u0000"',
      "9".repeat(1_000),
      "[[[[[1]]]]]",
    ];
    for (const text of plain) assert.equal(formatOf(state, text, 4), formats.text, text.slice(0, 20));
  });

  it("is left to a server that looks itself, but for what no text of it can have", () => {
    assert.equal(formatOf(state, '"\\u0000"', undefined), formats.json);
    assert.equal(formatOf(state, "no JSON", undefined), formats.json);
    assert.equal(formatOf(state, "a\u0000b", undefined), formats.text);
  });

  it("is as text or bytes for all other kinds", () => {
    for (const most of [undefined, 100]) {
      assert.equal(formatOf(space("cache", "", "c"), "{}", most), formats.text);
      assert.equal(formatOf(state, new Uint8Array(), most), formats.bytes);
    }
  });
});
