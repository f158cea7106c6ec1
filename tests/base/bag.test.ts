import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Bag, type Placed } from "../../src/base/bag.ts";

interface Thing extends Placed {
  readonly id: number;
}

void test("property: a bag holds what a set would", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ id: fc.nat(20), add: fc.boolean() })), (steps) => {
      const things = Array.from({ length: 21 }, (_, id): Thing => ({ id }));
      const bag = new Bag<Thing>();
      const set = new Set<Thing>();
      for (const { id, add } of steps) {
        const thing = things[id] as Thing;
        if (!add) assert.equal(bag.delete(thing), set.delete(thing));
        else if (!set.has(thing)) {
          bag.add(thing);
          set.add(thing);
        }
        assert.equal(bag.size, set.size);
      }
      assert.deepEqual(new Set(bag.toArray()), set);
    }),
  );
});

void test("what is in another bag is not taken out", () => {
  const [one, other] = [new Bag<Thing>(), new Bag<Thing>()];
  const thing = { id: 1 };
  one.add({ id: 0 });
  other.add(thing);
  assert.equal(one.delete(thing), false);
  assert.equal(other.delete(thing), true);
  assert.equal(other.delete(thing), false);
});
