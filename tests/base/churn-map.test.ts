import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ChurnMap, type Churned } from "../../src/base/churn-map.ts";

class Item implements Churned {
  readonly key: string;
  gone = false;

  constructor(key: string) {
    this.key = key;
  }
}

const churnMap = (): ChurnMap<Item> => new ChurnMap((key) => new Item(key));

void test("a churn map holds what a map holds, however items come and go", () => {
  const step = fc.record({ number: fc.nat(3_000), comes: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20_000, size: "max" }), (steps) => {
      const model = new Map<string, Item>();
      const map = churnMap();
      for (const { number, comes } of steps) {
        const key = `key-${number}`;
        const there = model.get(key);
        assert.equal(map.get(key), there);
        if (comes) {
          const item = map.use(key);
          assert.equal(item.key, key);
          assert.equal(item.gone, false);
          if (there) assert.equal(item, there);
          model.set(key, item);
        } else if (there) {
          map.leave(there);
          // Once more changes nothing.
          map.leave(there);
          model.delete(key);
        }
        assert.equal(map.size, model.size);
      }
      for (let number = 0; number <= 3_000; number++)
        assert.equal(map.get(`key-${number}`), model.get(`key-${number}`));
      assert.deepEqual(new Set(map.toArray()), new Set(model.values()));
    }),
    { numRuns: 50 },
  );
});

void test("an item that has gone is used again when its key comes back", () => {
  const map = churnMap();
  const item = map.use("key");
  map.leave(item);
  assert.equal(map.get("key"), undefined);
  assert.equal(map.use("key"), item);
  assert.equal(map.get("key"), item);
});

void test("keys that never come again do not stay", () => {
  const map = churnMap();
  const kept = map.use("kept");
  for (let i = 0; i < 100_000; i++) {
    map.leave(map.use(`key-${i}`));
    assert.ok(map.keysHeld <= 1_026 + 1, `${map.keysHeld} keys are held after ${i}`);
  }
  assert.equal(map.size, 1);
  assert.equal(map.get("kept"), kept);
});
