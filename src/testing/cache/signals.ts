import { deferred } from "../../base/async.ts";
import { OneSignal } from "../one-signal.ts";
import type { Case } from "../suite.ts";
import { cacheOf, gate } from "./client.ts";

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
];
