import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Named } from "../../src/holdfast/named.ts";
import { collectUntil } from "../support/collect.ts";

describe("Named", () => {
  const make = (): object => ({});

  it("gives one object a name", () => {
    const named = new Named<object>("cache");
    const first = named.get("a", { ttl: "5m" }, make);
    assert.equal(named.get("a", { ttl: "5m" }, make), first);
    assert.equal(named.get("a", undefined, make), first);
    assert.notEqual(named.get("b", undefined, make), first);
  });

  it("takes an option that is undefined as one that is not there", () => {
    const named = new Named<object>("cache");
    const first = named.get("a", undefined, make);
    assert.equal(named.get("a", { ttl: undefined }, make), first);
    assert.equal(named.get("a", {}, make), first);
  });

  it("refuses other options, and names them", () => {
    const named = new Named<object>("cache");
    const codec = {};
    named.get("prices", { ttl: "5m", codec }, make);
    for (const [options, message] of [
      [{ ttl: "6m", codec }, /the cache "prices" was made with other options \(ttl\)/],
      [{ ttl: "5m" }, /\(codec\)/],
      [{ ttl: "5m", codec: {} }, /\(codec\)/],
      [{ ttl: "5m", codec, isolate: "clone" }, /\(isolate\)/],
    ] as const) {
      assert.throws(() => named.get("prices", options, make), { code: "INVALID_ARGUMENT", message });
    }
  });

  it("forgets what could not be made", () => {
    const named = new Named<object>("cache");
    const fail = (): never => {
      throw new Error("bad name");
    };
    assert.throws(() => named.get("a", { ttl: 1 }, fail), /bad name/);
    assert.ok(named.get("a", { ttl: 2 }, make));
  });

  it("makes an object anew with its options when it was given back, and still refuses others", async () => {
    const named = new Named<{ readonly options: unknown }>("cache");
    const remember = (options?: object): { readonly options: unknown } => ({ options });
    named.get("first", { ttl: "5m" }, remember);
    const first = new WeakRef(named.get("first", undefined, remember));
    for (let i = 0; i < 5_000; i++) named.get(`name ${i}`, undefined, remember);
    assert.ok(await collectUntil(() => first.deref() === undefined));
    assert.throws(() => named.get("first", { ttl: "6m" }, remember), { code: "INVALID_ARGUMENT" });
    assert.deepEqual(named.get("first", undefined, remember).options, { ttl: "5m" });
  });
});
