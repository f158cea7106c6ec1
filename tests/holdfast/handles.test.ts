import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Handles } from "../../src/holdfast/handles.ts";
import { collectUntil } from "../support/collect.ts";

interface Made {
  readonly options: object | undefined;
}

describe("Handles", () => {
  const make = (options?: object): Made => ({ options });

  it("gives the same handle for the same options", () => {
    const handles = new Handles<Made>();
    const first = handles.get("a", { ttl: "5m" }, make);
    assert.equal(handles.get("a", { ttl: "5m" }, make), first);
    assert.notEqual(handles.get("b", { ttl: "5m" }, make), first);
  });

  it("takes an option that is undefined as one that is not there", () => {
    const handles = new Handles<Made>();
    const first = handles.get("a", undefined, make);
    assert.equal(handles.get("a", { ttl: undefined }, make), first);
    assert.equal(handles.get("a", {}, make), first);
  });

  it("makes another handle for other options, in whatever order they come", () => {
    const handles = new Handles<Made>();
    const orders = [undefined, { ttl: "5m" }, { ttl: "6m" }, { ttl: "5m", codec: {} }, undefined, { ttl: "6m" }];
    for (const options of orders) assert.equal(handles.get("prices", options, make).options, options);
  });

  it("keeps options as they were given", () => {
    const handles = new Handles<Made>();
    const options = { ttl: "5m" };
    const first = handles.get("a", options, make);
    options.ttl = "6m";
    assert.notEqual(handles.get("a", options, make), first);
  });

  it("forgets what could not be made", () => {
    const handles = new Handles<Made>();
    const fail = (): never => {
      throw new Error("bad name");
    };
    assert.throws(() => handles.get("a", { ttl: 1 }, fail), /bad name/);
    assert.ok(handles.get("a", { ttl: 1 }, make));
  });

  it("gives back those that nobody holds, where there are many names", async () => {
    const handles = new Handles<Made>();
    const first = new WeakRef(handles.get("first", { ttl: "5m" }, make));
    for (let i = 0; i < 5_000; i++) handles.get(`name ${i}`, undefined, make);
    assert.ok(await collectUntil(() => first.deref() === undefined));
  });
});
