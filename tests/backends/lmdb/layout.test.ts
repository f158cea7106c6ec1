import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { due, index, sweepMoment } from "../../../src/backends/lmdb/expiry-index.ts";
import type { LmdbKey, LmdbStore } from "../../../src/backends/lmdb/driver.ts";
import {
  expiryOf,
  idOf,
  isExpired,
  readRecord,
  recordBytes,
  setExpiry,
  stampsOf,
  writeRecord,
} from "../../../src/backends/lmdb/layout.ts";
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

test("a record is swept soon after it expires, and rewriting it adds few entries to the index", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 ** 10 }), fc.integer({ min: 10 ** 12, max: 10 ** 13 }), (ttl, now) => {
      const moments = new Set<number>();
      for (let i = 0; i <= 100; i++) {
        const expiresAt = now + Math.floor((ttl * i) / 100) + ttl;
        const moment = sweepMoment(expiresAt, ttl);
        assert.ok(moment >= expiresAt && moment <= expiresAt + Math.max(1, ttl / 8));
        moments.add(moment);
      }
      assert.ok(moments.size <= 18, `${moments.size} entries`);
    }),
  );
});

test("the index gives what is due, the earliest first, and no more than asked for", () => {
  const store = sortedStore();
  const at = [5_000, 1_000, 3_000, 4_000, 2_000];
  for (const moment of at) index(store, moment, "record", Buffer.from(`k${moment}`));
  index(store, 1_500, "lock", Buffer.from("l"));
  const found = due(store, 3_000, 10).map(({ at: moment, kind, key }) => [moment, kind, key.toString()]);
  assert.deepEqual(found, [
    [1_000, "record", "k1000"],
    [1_500, "lock", "l"],
    [2_000, "record", "k2000"],
    [3_000, "record", "k3000"],
  ]);
  assert.equal(due(store, 3_000, 2).length, 2);
  assert.deepEqual(due(store, 999, 10), []);
});

/** As much of a database as the index needs. */
function sortedStore(): LmdbStore {
  const keys: Buffer[] = [];
  const bytes = (key: LmdbKey): Buffer => Buffer.from(key as Uint8Array);
  return {
    lastSize: 0,
    getBinaryFast: () => undefined,
    put: (key) => keys.push(bytes(key)),
    remove: (key) => keys.filter((one) => !one.equals(bytes(key))),
    getKeys: ({ start, end, limit }) =>
      keys
        .filter((key) => key.compare(bytes(start)) >= 0 && key.compare(bytes(end)) < 0)
        .sort((a, b) => a.compare(b))
        .slice(0, limit),
  };
}
