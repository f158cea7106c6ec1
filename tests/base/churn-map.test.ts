import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ChurnMap } from "../../src/base/churn-map.ts";

void test("a churn map holds what a map holds, through any sets and deletes", () => {
  const step = fc.record({ key: fc.nat(3_000), value: fc.option(fc.nat()) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20_000, size: "max" }), (steps) => {
      const model = new Map<number, number>();
      const map = new ChurnMap<number, number>();
      for (const { key, value } of steps) {
        if (value === null) model.delete(key);
        else model.set(key, value);
        if (value === null) map.delete(key);
        else map.set(key, value);
        assert.equal(map.size, model.size);
        assert.equal(map.get(key), model.get(key));
      }
      for (let key = 0; key <= 3_000; key++) assert.equal(map.get(key), model.get(key));
    }),
    { numRuns: 50 },
  );
});

void test("keys that never come again do not stay", () => {
  const map = new ChurnMap<string, object>();
  const kept = {};
  map.set("kept", kept);
  for (let i = 0; i < 100_000; i++) {
    map.set(`key-${i}`, {});
    map.delete(`key-${i}`);
    assert.ok(map.keysHeld <= 1_026 + 1, `${map.keysHeld} keys are held after ${i}`);
  }
  assert.equal(map.size, 1);
  assert.equal(map.get("kept"), kept);
});
