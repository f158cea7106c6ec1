import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WeakNames } from "../../src/base/weak-names.ts";
import { collectUntil } from "../support/collect.ts";

describe("WeakNames", () => {
  it("gives back what was not asked for lately and nobody holds, and its name", async () => {
    const names = new WeakNames<object>();
    const held = { name: "held" };
    names.set("held", held);
    names.set("asked", { name: "asked" });
    for (let i = 0; i < 10_000; i++) {
      names.set(`name ${i}`, { i });
      names.get("asked");
    }
    assert.ok(await collectUntil(() => names.size <= 1_026), `${names.size} names`);
    assert.equal(names.get("held"), held);
    assert.deepEqual(names.get("asked"), { name: "asked" });
    assert.deepEqual(names.get("name 9999"), { i: 9_999 });
    assert.equal(names.get("name 0"), undefined);
  });

  it("keeps what a few names stand for, though nobody holds it", async () => {
    const names = new WeakNames<object>();
    for (let i = 0; i < 500; i++) names.set(`name ${i}`, { i });
    await collectUntil(() => names.size < 500);
    for (let i = 0; i < 500; i++) assert.deepEqual(names.get(`name ${i}`), { i });
  });

  it("gives the same object as long as somebody holds it", async () => {
    const names = new WeakNames<object>();
    const held = Array.from({ length: 5_000 }, (_, i) => ({ i }));
    for (const one of held) names.set(`name ${one.i}`, one);
    await collectUntil(() => names.size < 5_000);
    for (const one of held) assert.equal(names.get(`name ${one.i}`), one);
  });
});
