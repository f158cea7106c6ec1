import assert from "node:assert/strict";
import { deferred } from "../../base/async.ts";
import { OneSignal } from "../one-signal.ts";
import type { Case } from "../suite.ts";
import { Cache } from "../../cache/index.ts";
import { Instance } from "../../client/index.ts";
import { misbehavingBackend } from "../misbehave.ts";
import { cacheOf, calm, gate, keeps, stamps } from "./client.ts";

const many = 1_000;

/** One signal for many calls. */
export const signalCases: readonly Case[] = [
  {
    title: "a thousand callers under one signal share a listener, and each ends by it",
    proves: "every call 1: it ends by its signal",
    async run(context) {
      const cache = cacheOf<string>(context);
      const one = new OneSignal();
      const { load, started } = gate<string>();
      const joined = Array.from({ length: many }, () => cache.getOrSet("k", load, { signal: one.signal }));
      await started;
      await one.ends("they wait for one load", joined);

      const two = new OneSignal();
      const all = deferred<void>();
      let running = 0;
      const loads = Array.from({ length: many }, (_, i) =>
        cache.getOrSet(`own ${i}`, () => (++running === many && all.resolve(), load()), { signal: two.signal }),
      );
      await all.promise;
      await two.ends("each waits for a load of its own", loads);
    },
  },
  {
    title: "a thousand calls under one signal that is never aborted leave nothing on it",
    proves: "every call 1: it ends by its result",
    async run(context) {
      const cache = cacheOf<string>(context);
      const one = new OneSignal();
      const { signal } = one;
      const keys = Array.from({ length: many }, (_, i) => `k ${i}`);
      await Promise.all(keys.map((key) => cache.getOrSet(key, () => key, { signal })));
      await Promise.all(keys.map((key) => cache.set(key, key, { signal, tags: ["t"] })));
      await Promise.all(keys.map((key) => cache.get(key, { signal })));
      await one.quiet("calls that have settled");
    },
  },
  {
    title: "stamps that a thousand calls miss at once are made once",
    proves: "caches: stamped with versions taken before the load",
    async run({ place, capabilities, unit }) {
      if (!keeps(capabilities)) return;
      let made = 0;
      const backend = misbehavingBackend(place.backend(), {
        name: "none: it counts",
        group(group, next) {
          made += group.ops.filter((op) => op.op === "set" && op.key.space.id === stamps.id).length;
          return next(group);
        },
      });
      const cache = new Cache<number>(new Instance(backend), "values", { ttl: unit * 1_000, ...calm });
      const kept = await Promise.all(Array.from({ length: many }, (_, i) => cache.set(`k ${i}`, i, { tags: ["t"] })));
      assert.ok(kept.every(Boolean));
      assert.equal(made, 3, "of the cache, of its tags, of the tag");
    },
  },
];
