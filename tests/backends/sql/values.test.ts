import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formats } from "../../../src/backends/sql/dialect.ts";
import { formatOf } from "../../../src/backends/sql/values.ts";
import { space } from "../../../src/base/keys.ts";

const state = space("state", "", "s");

describe("how a value is stored", () => {
  it("is as JSON where it is the text of a state record, but for what no JSON has", () => {
    // What a server's JSON type cannot hold, applications leave out of what they compute: see docs/sql.md.
    for (const text of ['{"a":1}', '"\\u0000"', "no JSON"]) assert.equal(formatOf(state, text), formats.json, text);
    assert.equal(formatOf(state, "a\u0000b"), formats.text);
  });

  it("is as text or bytes for all other kinds", () => {
    assert.equal(formatOf(space("cache", "", "c"), "{}"), formats.text);
    assert.equal(formatOf(state, new Uint8Array()), formats.bytes);
  });
});
