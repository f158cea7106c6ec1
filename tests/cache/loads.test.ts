import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deferred } from "../../src/base/async.ts";
import { Cache } from "../../src/cache/index.ts";
import { Instance } from "../../src/client/index.ts";
import { loaded, toldOf } from "../../src/testing/cache/client.ts";
import { clocked, remote, stand } from "./support.ts";

describe("loads", () => {
  it("that ran for longer than a deletion is remembered are not kept where nothing was found before", async () => {
    const { cache, time } = stand();
    const [one, two] = [cache<string>(), cache<string>()];
    for (const [minutes, kept] of [
      [8, "old"],
      [11, undefined],
    ] as const) {
      const started = deferred<void>();
      const end = deferred<string>();
      const key = `${minutes} minutes`;
      const value = one.getOrSet(key, async () => (started.resolve(), end.promise));
      await started.promise;
      if (kept === undefined) await two.delete(key);
      await time.advance(`${minutes}m`);
      end.resolve("old");
      assert.equal(await value, "old");
      assert.equal(await two.get(key), kept);
    }
  });

  it("that the machine slept through longer than that are not kept either", async () => {
    const { backend, cache, time } = stand();
    let slept = 0;
    const instance = new Instance(clocked(backend(), { monotonic: () => time.monotonic() - slept }));
    const here = new Cache<string>(instance, "values", { ttl: "1h" });
    const elsewhere = cache<string>();
    const started = deferred<void>();
    const end = deferred<string>();
    const value = here.getOrSet("k", async () => (started.resolve(), end.promise));
    await started.promise;
    await elsewhere.delete("k");
    await time.advance("11m");
    slept = 11 * 60_000;
    end.resolve("old");
    assert.equal(await value, "old");
    assert.equal(await elsewhere.get("k"), undefined);
  });

  it("that fail when everybody has left leave no rejection behind", async () => {
    const values = stand().cache<string>();
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown): number => unhandled.push(error);
    process.on("unhandledRejection", onUnhandled);
    try {
      const leaving = new AbortController();
      const started = deferred<void>();
      const failed = deferred<void>();
      values.on("load", ({ outcome }) => outcome === "failed" && failed.resolve());
      const wait = values.getOrSet(
        "k",
        async ({ signal }) => {
          started.resolve();
          return new Promise<string>((_, reject) => {
            signal.addEventListener("abort", () => reject(new Error("given up")));
          });
        },
        { signal: leaving.signal },
      );
      await started.promise;
      leaving.abort(new Error("left"));
      await assert.rejects(wait, /left/);
      await failed.promise;
      await new Promise(setImmediate);
      assert.deepEqual(unhandled, []);
    } finally {
      process.off("unhandledRejection", onUnhandled);
    }
  });

  it("share the question to a store that is somewhere else", async () => {
    const batches: string[][] = [];
    const backend = remote(stand().backend(), {
      onExecute: (groups) => batches.push(groups.map(({ ops }) => ops.map(({ op }) => op).join("+"))),
    });
    const values = new Cache<number>(new Instance(backend), "values", { ttl: "5m" });
    await loaded(values, "first", () => 0);
    batches.length = 0;
    await Promise.all([
      toldOf(values, "load", "k"),
      ...Array.from({ length: 20 }, async () => values.getOrSet("k", () => 1)),
    ]);
    // Is it there? What does the load stand on? Keep it.
    assert.deepEqual(batches, [["get"], ["get", "get", "get"], ["set"]]);
    batches.length = 0;
    await Promise.all(Array.from({ length: 20 }, async () => values.getOrSet("k", () => 1)));
    assert.deepEqual(batches, [["get"]]);
    batches.length = 0;
    const keys = Array.from({ length: 50 }, (_, i) => `key ${i}`);
    await Promise.all([
      toldOf(values, "load"),
      values.getOrSetMany(keys, (missing) => new Map(missing.map((key) => [key, 1])), { tags: ["t"] }),
    ]);
    assert.deepEqual(
      batches.map(({ length }) => length),
      [50, 53, 1, 50],
    );
    batches.length = 0;
    assert.equal((await values.getMany(keys)).size, 50);
    assert.equal(batches.length, 1);
    batches.length = 0;
    await values.clear();
    assert.deepEqual(batches, [["get+set"]]);
  });
});
