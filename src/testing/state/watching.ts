import assert from "node:assert/strict";
import { Instance } from "../../client/index.ts";
import type { Session, Signal } from "../../port/index.ts";
import type { StateStore } from "../../state/index.ts";
import type { Case, CaseContext } from "../suite.ts";
import { Changes, declaring, instanceOf, instanceOn, lists, rejects, storeOf, storeOn, watches } from "./client.ts";

/** A store whose case can play the server: send it signals, and take them away. */
function tampered(context: CaseContext): { store: StateStore<number>; tell: (signal: Signal) => void } {
  const backend = context.place.backend();
  const listeners: ((signal: Signal) => void)[] = [];
  const session = (): Session => {
    const real = backend.session();
    return {
      id: real.id,
      execute: async (groups, call) => real.execute(groups, call),
      page: async (query, call) => real.page(query, call),
      close: async () => real.close(),
      signals: {
        async subscribe(_, listener) {
          listeners.push(listener);
          return () => void listeners.splice(0);
        },
        publish: async () => undefined,
      },
    };
  };
  const instance = new Instance({ ...declaring(backend, {}), session });
  const store = storeOn<number>(instance);
  return { store, tell: (signal) => listeners.forEach((listener) => listener(signal)) };
}

export const watchCases: readonly Case[] = [
  {
    title: "every change that is acknowledged after it resolved is told, of every instance",
    proves: "state 8: live when its promise resolves",
    when: watches,
    async run(context) {
      const [a, b] = [storeOf<number>(context), storeOf<number>(context)];
      await a.save("before", 1);
      const changes = await Changes.of(a);
      await b.save("k", 1);
      await changes.state("k", 1);
      await a.update("k", (n) => n + 1);
      await changes.state("k", 2);
      await b.delete("k");
      await changes.state("k", undefined);
      await a.saveMany([
        ["x", 1],
        ["y", 2],
      ]);
      await changes.state("x", 1);
      await changes.state("y", 2);
      assert.ok(!changes.seen.some((change) => change.type === "save" && change.entry.key === "before"));
      const last = changes.seen.findLast((change) => change.type === "save");
      assert.ok(last?.type === "save");
      assert.deepEqual(last.entry, await b.loadEntry(last.entry.key));
      await changes.stop();
      assert.equal(await changes.next(), undefined);
    },
  },
  {
    title: "with initial, what is there comes first, and the last word on a key is its latest state",
    proves: "state 8: with initial it lists first",
    when: (capabilities) => watches(capabilities) && lists(capabilities),
    async run(context) {
      const [a, b] = [storeOf<number>(context), storeOf<number>(context)];
      await a.saveMany(Array.from({ length: 300 }, (_, i) => [`k${i}`, 0] as const));
      const changes = await Changes.of(a, { initial: true });
      await b.save("k7", 1);
      await b.delete("k8");
      await b.save("new", 1);
      const state = new Map<string, number | undefined>();
      const expected = await b.loadMany(["new", ...Array.from({ length: 300 }, (_, i) => `k${i}`)]);
      const same = (): boolean =>
        [...expected].every(([key, value]) => state.get(key) === value) && state.get("k8") === undefined;
      await changes.until((change) => {
        if (change.type === "save") state.set(change.entry.key, change.entry.value);
        if (change.type === "delete") state.delete(change.key);
        return state.size === 300 && same();
      });
      await changes.stop();
    },
  },
  {
    title: "only keys of the prefix are told",
    proves: "state 8: prefix",
    when: watches,
    async run(context) {
      const store = storeOf<number>(context);
      await store.save("b1", 0);
      const changes = await Changes.of(store, { prefix: "a", ...(context.capabilities.list ? { initial: true } : {}) });
      await store.saveMany([
        ["b1", 1],
        ["a1", 1],
        ["A1", 1],
        ["b2", 1],
        ["a2", 1],
      ]);
      const awaited = new Set(["a1", "a2"]);
      await changes.until((change) => {
        if (change.type === "save") awaited.delete(change.entry.key);
        return awaited.size === 0;
      });
      const keys = changes.seen.map((change) => (change.type === "save" ? change.entry.key : change.type));
      assert.deepEqual([...new Set(keys)].toSorted(), ["a1", "a2"]);
      await changes.stop();
    },
  },
  {
    title: "changes of a key that nobody has taken yet are one change to its latest state",
    proves: "state 8: the latest state of changed keys",
    when: watches,
    async run(context) {
      const store = storeOf<number>(context);
      const changes = await Changes.of(store);
      for (let i = 1; i <= 200; i++) await store.save("k", i);
      await store.save("end", 1);
      await changes.state("end", 1);
      const values = changes.seen.map((change) => (change.type === "save" ? change.entry.value : change.type));
      assert.ok(values.length <= 20, `${values.length} changes for 200 writes that nobody took`);
      assert.equal(values.at(-2), 200);
      await changes.stop();
    },
  },
  {
    title: "after a loss it says so, and with initial yields everything again",
    proves: "state 8: gap",
    when: (capabilities) => watches(capabilities) && lists(capabilities),
    async run(context) {
      const { store, tell } = tampered(context);
      await store.saveMany([
        ["a", 1],
        ["b", 1],
      ]);
      const plain = await Changes.of(store);
      const initial = await Changes.of(store, { initial: true });
      await initial.state("a", 1);
      await storeOf<number>(context).save("a", 2);
      tell({ type: "gap" });
      assert.deepEqual(await plain.next(), { type: "gap" });
      await initial.until(({ type }) => type === "gap");
      await initial.state("a", 2);
      initial.seen.length = 0;
      tell({ type: "gap" });
      await initial.until(({ type }) => type === "gap");
      await initial.until((change) => change.type === "save" && change.entry.key === "b");
      await Promise.all([plain.stop(), initial.stop()]);
    },
  },
  {
    title: "more changed keys than it keeps in mind are a gap, not memory without end",
    proves: "state 8: gap",
    when: watches,
    async run(context) {
      const { store, tell } = tampered(context);
      const changes = await Changes.of(store);
      const at = storeOn<number>(instanceOf(context)).name;
      const key = (i: number): Signal => ({
        type: "changed",
        key: { space: { kind: "state", service: "conformance", name: at, id: "" }, key: `k${i}` },
      });
      for (let i = 0; i < 25_000; i++) tell(key(i));
      let told = 0;
      await changes.until(({ type }) => {
        told++;
        return type === "gap";
      });
      assert.ok(told < 25_000);
      await changes.stop();
    },
  },
  {
    title: "it ends with its signal, its loop, and its instance",
    proves: "state 8, every call 1: it ends",
    when: watches,
    async run(context) {
      const instance = instanceOf(context);
      const store = storeOn<number>(instance);
      const abort = new AbortController();
      const aborted = await Changes.of(store, { signal: abort.signal });
      const waiting = aborted.next();
      abort.abort();
      assert.equal(await waiting, undefined);
      assert.equal(await aborted.next(), undefined);
      await assert.rejects(store.watch({ signal: abort.signal }), { name: "AbortError" });
      const returned = await Changes.of(store);
      const pending = returned.next();
      await returned.stop();
      assert.equal(await pending, undefined);
      await store.save("k", 0);
      let seen = 0;
      const loop = await store.watch();
      await store.save("k", 1);
      for await (const change of loop) {
        seen++;
        if (change.type === "save") break;
      }
      assert.ok(seen > 0);
      const closed = await Changes.of(store);
      const last = closed.next();
      await instance.close(0);
      assert.equal(await last, undefined);
    },
  },
  {
    title: "where watching is not declared it is refused",
    proves: "capabilities: watch",
    async run(context) {
      const instance = instanceOn(declaring(context.place.backend(), { watch: "none" }));
      await rejects(storeOn<number>(instance).watch(), "UNSUPPORTED");
    },
  },
];
