import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { RecentKeys } from "../../src/cache/recent-keys.ts";

describe("RecentKeys", () => {
  it("gives up the key that was not used for longest, and no other", () => {
    const steps = fc.array(fc.record({ key: fc.constantFrom("a", "b", "c", "d", "e", "f"), drop: fc.boolean() }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), steps, (max, all) => {
        const keys = new RecentKeys(max);
        let model: string[] = [];
        for (const { key, drop } of all) {
          model = model.filter((one) => one !== key);
          if (drop) {
            keys.delete(key);
            continue;
          }
          model.push(key);
          assert.equal(keys.use(key), model.length > max ? model.shift() : undefined);
        }
      }),
    );
  });
});
