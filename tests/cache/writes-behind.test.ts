import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deferred, type Deferred } from "../../src/base/async.ts";
import { Cache, type LoadOutcome } from "../../src/cache/index.ts";
import { WritesBehind } from "../../src/cache/writes-behind.ts";
import { Instance } from "../../src/client/index.ts";
import { line, writesEntry } from "../../src/testing/cache/client.ts";
import { remote, stand } from "./support.ts";

const sent = 256;
const waiting = 1_024;

/** Writes of one entry each, that end when the test says so. */
class Bench {
  readonly behind = new WritesBehind("test");
  readonly started: string[] = [];
  readonly ends = new Map<string, Deferred<void>>();
  readonly dropped: string[] = [];

  write(key: string, payload = "v"): void {
    const end = deferred<void>();
    this.ends.set(key, end);
    const run = this.behind.run([{ key, payload }], async () => {
      this.started.push(key);
      await end.promise;
    });
    run.catch((error: { code?: string }) => {
      if (error.code === "UNAVAILABLE") this.dropped.push(key);
    });
  }

  fill(count: number, from = 0): void {
    for (let i = from; i < from + count; i++) this.write(`k ${i}`);
  }
}

describe("writes that nobody waits for", () => {
  it("are sent before the call returns while few are on their way, then one for each that has ended, in their order", async () => {
    const bench = new Bench();
    bench.fill(sent + 3);
    assert.equal(bench.started.length, sent);
    bench.ends.get("k 7")?.resolve();
    bench.ends.get("k 3")?.reject(new Error("lost"));
    await new Promise(setImmediate);
    assert.deepEqual(bench.started.slice(sent), [`k ${sent}`, `k ${sent + 1}`]);
  });

  it("drop the oldest that wait when too many do", async () => {
    const bench = new Bench();
    bench.fill(sent + waiting);
    await new Promise(setImmediate);
    assert.deepEqual(bench.dropped, []);
    bench.fill(2, sent + waiting);
    await new Promise(setImmediate);
    assert.deepEqual(bench.dropped, [`k ${sent}`, `k ${sent + 1}`]);
    for (const end of bench.ends.values()) end.resolve();
    await new Promise(setImmediate);
    assert.equal(bench.started.length, sent + waiting);
  });

  it("drop by their bytes as well, and hold no key of what is gone", async () => {
    const bench = new Bench();
    bench.fill(sent);
    for (const key of ["a", "b", "c"]) bench.write(key, "x".repeat(7 * 1024 * 1024));
    await new Promise(setImmediate);
    assert.deepEqual(bench.dropped, ["a"]);
    bench.behind.flush("a");
    bench.behind.flush("c");
    assert.deepEqual(bench.started.slice(sent), ["c"]);
    bench.behind.flush("c");
    assert.deepEqual(bench.started.slice(sent), ["c"]);
  });

  it("wait, the last of them, also where one alone is too much", async () => {
    const bench = new Bench();
    bench.fill(sent);
    bench.write("before");
    const many = Array.from({ length: waiting + 1 }, (_, i) => ({ key: `many ${i}`, payload: "v" }));
    const told = bench.behind.run(many, () => Promise.resolve("kept"));
    await new Promise(setImmediate);
    assert.deepEqual(bench.dropped, ["before"]);
    bench.ends.get("k 0")?.resolve();
    assert.equal(await told, "kept");
  });

  it("go before a call on their key that comes next", async () => {
    const { backend } = stand();
    const store = line({ place: { backend: () => remote(backend()) } });
    const cache = new Cache<number>(new Instance(store.backend), "values", { ttl: "1h" });
    const errors: unknown[] = [];
    cache.on("error", (event) => errors.push(event));
    const outcomes = new Map<LoadOutcome, number>();
    const all = deferred<void>();
    cache.on("load", ({ outcome }) => {
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (outcomes.get("kept") === sent + waiting) all.resolve();
    });
    await cache.set("first", 0);
    store.hang(writesEntry);
    const count = sent + waiting + 10;
    for (let i = 0; i < count; i++) assert.equal(await cache.getOrSet(`k ${i}`, () => i), i);
    assert.equal(errors.length, 10, "those that made room are told");
    const last = cache.get(`k ${count - 1}`);
    const dropped = cache.get(`k ${sent}`);
    store.restore();
    assert.equal(await last, count - 1);
    assert.equal(await dropped, undefined);
    await all.promise;
    assert.deepEqual([outcomes.get("kept"), outcomes.get("unkept")], [sent + waiting, 10]);
  });
});
