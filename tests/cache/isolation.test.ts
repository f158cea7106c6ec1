import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isolated } from "../../src/cache/isolation.ts";

describe("isolated", () => {
  it("decodes once for all who share a frozen value", () => {
    let decoded = 0;
    const handout = isolated("freeze", () => ({ n: ++decoded, list: [[{}]] }));
    const value = handout.take();
    assert.equal(handout.take(), value);
    assert.equal(decoded, 1);
    assert.ok(Object.isFrozen(value.list[0]?.[0]));
  });

  it("gives each its own copy of what cannot be frozen, and none that is half frozen", () => {
    class Price {
      amount = 1;
    }
    const makers: (() => { mutable: unknown })[] = [
      () => ({ mutable: new Map() }),
      () => ({ mutable: new Set([1]) }),
      () => ({ mutable: new Date(0) }),
      () => ({ mutable: new Uint8Array(2) }),
      () => ({ mutable: [[new Price()]] }),
      () => ({ mutable: () => 1 }),
    ];
    for (const make of makers) {
      const handout = isolated("freeze", make);
      const [one, two] = [handout.take(), handout.take()];
      assert.notEqual(one.mutable, two.mutable);
      assert.ok(!Object.isFrozen(one) && !Object.isFrozen(two));
    }
  });

  it("ends on a value that holds itself", () => {
    const value: { self?: unknown } = {};
    value.self = value;
    assert.ok(Object.isFrozen(isolated("freeze", () => value).take()));
  });

  it("clones without decoding more often than it must", () => {
    let decoded = 0;
    const handout = isolated("clone", () => ({ n: ++decoded }));
    assert.deepEqual([handout.take(), handout.take(), handout.take()], [{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it("shares a reference", () => {
    const handout = isolated("reference", () => ({}));
    assert.equal(handout.take(), handout.take());
    assert.ok(!Object.isFrozen(handout.take()));
  });

  it("throws what the codec throws", () => {
    const broken = (): never => {
      throw new Error("no JSON");
    };
    assert.throws(() => isolated("freeze", broken), /no JSON/);
  });
});
