import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LinkedList, type Linked } from "../../src/base/linked-list.ts";

class Thing implements Linked<Thing> {
  readonly id: number;
  previous: Thing | undefined;
  next: Thing | undefined;

  constructor(id: number) {
    this.id = id;
  }
}

void test("property: a linked list holds what a set would, in its order", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), (ids) => {
      const things = Array.from({ length: 21 }, (_, id) => new Thing(id));
      const list = new LinkedList<Thing>();
      const set = new Set<Thing>();
      for (const id of ids) {
        const thing = things[id] as Thing;
        if (set.delete(thing)) {
          list.remove(thing);
          assert.deepEqual([thing.previous, thing.next], [undefined, undefined]);
        } else {
          list.append(thing);
          set.add(thing);
        }
        assert.equal(list.size, set.size);
        assert.equal(list.first, [...set][0]);
        assert.deepEqual(
          list.toArray().map((one) => one.id),
          [...set].map((one) => one.id),
        );
      }
    }),
  );
});
