import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LmdbKey, LmdbStore } from "../../../src/backends/lmdb/driver.ts";
import { due, index, sweepMoment } from "../../../src/backends/lmdb/expiry-index.ts";

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
