import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  expiryOf,
  idOf,
  isExpired,
  readRecord,
  recordBytes,
  setExpiry,
  stampsOf,
  writeRecord,
} from "../../../src/backends/machine/record.ts";
import { record } from "./support/processes.ts";

const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), loneSurrogates());
const payload = fc.oneof(text, fc.uint8Array());
const ids = fc.string({ unit: "binary", minLength: 1, maxLength: 16 });
const stamp = fc.record({
  key: fc.string({ unit: "binary", minLength: 1, maxLength: 40 }).map((key) => record(key)),
  id: ids,
});

function loneSurrogates(): fc.Arbitrary<string> {
  return fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units));
}

test("a record comes back as it was written, whatever is in it", () => {
  fc.assert(
    fc.property(
      ids,
      payload,
      fc.option(fc.array(stamp, { maxLength: 3 }), { nil: undefined }),
      fc.option(fc.integer({ min: 1, max: 2 ** 52 }), { nil: undefined }),
      fc.nat(20),
      (id, value, stamps, expiresAt, at) => {
        const bytes = Buffer.alloc(at + recordBytes(id, value, stamps), 0xee);
        const end = writeRecord(bytes, at, id, value, stamps, expiresAt !== undefined);
        assert.ok(end <= bytes.length, "longer than it said");
        const written = bytes.subarray(at, end);
        if (expiresAt !== undefined) setExpiry(written, expiresAt);
        const expected = expiresAt === undefined ? { key: "k", id, value } : { key: "k", id, value, expiresAt };
        assert.deepEqual(readRecord("k", bytes.subarray(at), end - at), expected);
        assert.equal(idOf(written), id);
        assert.equal(expiryOf(written), expiresAt ?? 0);
        assert.equal(isExpired(written, (expiresAt ?? 0) - 1), false);
        assert.equal(isExpired(written, expiresAt ?? 2 ** 52), expiresAt !== undefined);
        const expectedStamps = (stamps ?? []).map(({ key, id: version }) => ({
          key: key.space.id + key.key,
          id: version,
        }));
        assert.deepEqual(stampsOf(written), expectedStamps);
      },
    ),
  );
});

test("a record that can keep a ttl but has none does not expire", () => {
  const bytes = Buffer.alloc(100);
  const end = writeRecord(bytes, 0, "id", "v", undefined, true);
  assert.equal(isExpired(bytes, 2 ** 52), false);
  assert.deepEqual(readRecord("k", bytes, end), { key: "k", id: "id", value: "v" });
});
