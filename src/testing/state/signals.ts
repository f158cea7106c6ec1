import assert from "node:assert/strict";
import { deferred } from "../../base/async.ts";
import { transact } from "../../state/index.ts";
import { OneSignal } from "../one-signal.ts";
import type { Case } from "../suite.ts";
import { instanceOf, keeps, storeOn, times, watches } from "./client.ts";

const many = 1_000;

/** Resolves with the `many`th call, which like those before it never ends. */
function hanging(): { readonly all: Promise<void>; readonly call: () => Promise<number> } {
  const all = deferred<void>();
  let running = 0;
  const call = (): Promise<number> => {
    if (++running === many) all.resolve();
    return new Promise<number>(() => undefined);
  };
  return { all: all.promise, call };
}

/** One signal for many calls. */
export const signalCases: readonly Case[] = [
  {
    title: "a thousand updates and transactions under one signal share a listener, and each ends by it",
    proves: "every call 1: it ends by its signal",
    when: keeps,
    async run(context) {
      const instance = instanceOf(context);
      const store = storeOn<number>(instance);
      const updates = hanging();
      const one = new OneSignal();
      const upserts = Array.from({ length: many }, (_, i) =>
        store.upsert(`own ${i}`, updates.call, { signal: one.signal }),
      );
      await updates.all;
      await one.ends("functions of updates run", upserts);

      const transactions = hanging();
      const two = new OneSignal();
      const commits = Array.from({ length: many }, () => transact(instance, transactions.call, { signal: two.signal }));
      await transactions.all;
      await two.ends("functions of transactions run", commits);

      const three = new OneSignal();
      const started = deferred<void>();
      const holder = store.upsert("k", () => (started.resolve(), updates.call()), { signal: three.signal });
      await started.promise;
      const { signal } = three;
      const queue = Array.from({ length: many }, () => store.upsert("k", () => assert.fail("aborted"), { signal }));
      await three.ends("updates wait for one of their key", [holder, ...queue]);
    },
  },
  {
    title: "a thousand calls under one signal that is never aborted leave nothing on it",
    proves: "every call 1: it ends by its result",
    async run(context) {
      const store = storeOn<number>(instanceOf(context));
      const one = new OneSignal();
      await times(many, (i) => store.save(`k ${i}`, i, { signal: one.signal }));
      await times(many, (i) => store.load(`k ${i}`, { signal: one.signal }));
      await times(many, () => store.upsert("k", (n = 0) => n + 1, { signal: one.signal }));
      await one.quiet("calls that have settled");
    },
  },
  {
    title: "watches under one signal share a listener, and each ends by it",
    proves: "state 8, every call 1: it ends",
    when: watches,
    async run(context) {
      const store = storeOn<number>(instanceOf(context));
      const one = new OneSignal();
      const changes = await times(50, async () => (await store.watch({ signal: one.signal }))[Symbol.asyncIterator]());
      const nexts = changes.map(async (iterator) => ((await iterator.next()).done === true ? one.reason : "goes on"));
      await one.ends("watches wait", nexts);
    },
  },
];
