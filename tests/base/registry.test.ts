import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Registry } from "../../src/base/registry.ts";

const ascending = (a: number, b: number): number => a - b;

void test("property: a registry holds what a map holds, however keys come and go", () => {
  const step = fc.record({ number: fc.nat(1_000), comes: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 5_000, size: "max" }), (steps) => {
      const model = new Map<string, number>();
      const registry = new Registry<number>();
      for (const [i, { number, comes }] of steps.entries()) {
        const key = `key-${number}`;
        assert.equal(registry.get(key), model.get(key));
        if (comes) {
          registry.set(key, i);
          model.set(key, i);
        } else {
          registry.delete(key);
          model.delete(key);
        }
      }
      for (let number = 0; number <= 1_000; number++)
        assert.equal(registry.get(`key-${number}`), model.get(`key-${number}`));
      assert.deepEqual(registry.toArray().toSorted(ascending), [...model.values()].toSorted(ascending));
    }),
    { numRuns: 20 },
  );
});

void test("keys that have gone are forgotten in the end", () => {
  const registry = new Registry<object>();
  for (let i = 0; i < 100_000; i++) {
    registry.set(`kept-${i % 100}`, {});
    registry.set(`gone-${i}`, {});
    registry.delete(`gone-${i}`);
    assert.ok(registry.keysHeld <= 100 + 257, `${registry.keysHeld} keys`);
  }
  assert.equal(registry.toArray().length, 100);
});
