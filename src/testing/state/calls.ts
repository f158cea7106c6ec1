import assert from "node:assert/strict";
import { transact, type StateStore } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { declaring, instanceOf, instanceOn, keeps, rejects, storeOf, storeOn } from "./client.ts";

interface Limits {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
}

/** Every call of a store on a key, with its limits. */
function calls(
  store: StateStore<number>,
  key: string,
  limits: Limits,
): readonly (readonly [string, () => Promise<unknown>])[] {
  return [
    ["load", () => store.load(key, limits)],
    ["loadEntry", () => store.loadEntry(key, limits)],
    ["loadMany", () => store.loadMany([key], limits)],
    ["loadEntries", () => store.loadEntries([key], limits)],
    ["save", () => store.save(key, 2, limits)],
    ["saveMany", () => store.saveMany([[key, 2]], limits)],
    ["update", () => store.update(key, (n) => n + 1, limits)],
    ["upsert", () => store.upsert(key, () => 2, limits)],
    ["delete", () => store.delete(key, limits)],
  ];
}

export const callCases: readonly Case[] = [
  {
    title: "a call that was aborted before it was sent rejects with the reason, and nothing happened",
    proves: "every call 2: aborted before it was sent",
    when: keeps,
    async run(context) {
      const instance = instanceOf(context);
      const store = storeOn<number>(instance);
      const reason = new Error("enough");
      const signal = AbortSignal.abort(reason);
      // Before and after the backend is open: it is the first call that opens it.
      for (let round = 0; round < 2; round++) {
        for (const [what, call] of calls(store, "k", { signal })) await assert.rejects(call(), reason, what);
        await assert.rejects(
          transact(instance, (tx) => tx.save(store, "k", 1), { signal }),
          reason,
        );
        assert.equal(await store.load("k"), undefined);
      }
    },
  },
  {
    title: "an abort ends an update and a transaction whose function goes on for ever, and nothing is written",
    proves: "every call 1: it ends by its signal",
    when: keeps,
    async run(context) {
      const instance = instanceOf(context);
      const store = storeOn<number>(instance);
      const reason = new Error("enough");
      const forever = new Promise<number>(() => undefined);
      const starts: readonly ((signal: AbortSignal, running: () => void) => Promise<unknown>)[] = [
        (signal, running) => store.upsert("k", () => (running(), forever), { signal }),
        (signal, running) => transact(instance, async (tx) => (tx.save(store, "k", 1), running(), forever), { signal }),
      ];
      for (const start of starts) {
        const abort = new AbortController();
        let running: () => void = () => undefined;
        const runs = new Promise<void>((resolve) => (running = resolve));
        const work = start(abort.signal, running);
        await runs;
        abort.abort(reason);
        await assert.rejects(work, reason);
        assert.equal(await store.load("k"), undefined);
      }
      assert.equal((await store.upsert("k", () => 3))?.value, 3, "the key is free for others");
    },
  },
  {
    title: "closing aborts what still runs and refuses what comes",
    proves: "every call 7: close",
    when: keeps,
    async run(context) {
      const instance = instanceOf(context);
      const store = storeOn<number>(instance);
      await store.save("k", 1);
      let go: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => (go = resolve));
      const finishing = transact(instance, async (tx) => {
        await gate;
        tx.save(store, "k", 2);
      });
      const hanging = store.update("k", () => new Promise<number>(() => undefined));
      const refused = rejects(hanging, "UNAVAILABLE", "a function that does not end");
      const closing = instance.close(8 * context.unit);
      await rejects(
        store.update("k", (n) => n),
        "UNAVAILABLE",
        "what starts a function while closing",
      );
      await rejects(
        transact(instance, () => 1),
        "UNAVAILABLE",
      );
      go();
      await finishing;
      await context.place.elapse(9 * context.unit);
      await Promise.all([refused, closing]);
      for (const [what, call] of calls(store, "k", {})) {
        await call().then(
          () => assert.fail(`${what} on a closed instance`),
          (error: unknown) => assert.match(String((error as { code?: unknown }).code), /^(UNAVAILABLE|BATCH)$/, what),
        );
      }
      assert.equal(await storeOf<number>(context).load("k"), 2);
    },
  },
  {
    title: "bad keys are refused by every call, and change nothing",
    proves: "every call 4: bad input",
    async run(context) {
      const store = storeOf<number>(context);
      const bad: readonly unknown[] = ["", "k".repeat(1_025), "\u00e9".repeat(513), "\ud800", 5, null, undefined, {}];
      for (const key of bad) {
        for (const [what, call] of calls(store, key as string, {})) {
          await rejects(call(), "INVALID_ARGUMENT", `${what}(${JSON.stringify(key)?.slice(0, 20)})`);
        }
      }
      await rejects(
        store.saveMany([
          ["good", 1],
          ["", 1],
        ]),
        "INVALID_ARGUMENT",
      );
      assert.equal(await store.load("good"), undefined);
    },
  },
  {
    title: "bad durations, signals and limits are refused",
    proves: "every call 4: bad input",
    async run(context) {
      const store = storeOf<number>(context);
      for (const duration of [0, -1, Number.NaN, Infinity, "10", "5 apples", {}] as number[]) {
        for (const [what, call] of calls(store, "k", { timeout: duration }))
          await rejects(call(), "INVALID_ARGUMENT", what);
        await rejects(store.save("k", 1, { ttl: duration }), "INVALID_ARGUMENT");
        await rejects(
          store.upsert("k", () => 1, { ttl: duration }),
          "INVALID_ARGUMENT",
        );
      }
      const signal = {} as AbortSignal;
      for (const [what, call] of calls(store, "k", { signal })) await rejects(call(), "INVALID_ARGUMENT", what);
      assert.equal(await store.load("k"), undefined);
    },
  },
  {
    title: "a value over the backend's limit is refused early",
    proves: "every call 4: values over the backend's limit",
    async run(context) {
      const instance = instanceOn(declaring(context.place.backend(), { maxValue: 100 }));
      const store = storeOn<string>(instance);
      // 40 units and two quotes, but 122 bytes of UTF-8.
      for (const value of ["x".repeat(99), "\u20ac".repeat(40)]) {
        await assert.rejects(store.save("k", value), { code: "INVALID_ARGUMENT", key: "k" });
        await rejects(
          store.saveMany([
            ["j", "x"],
            ["k", value],
          ]),
          "INVALID_ARGUMENT",
        );
        await rejects(
          store.upsert("k", () => value),
          "INVALID_ARGUMENT",
        );
        await rejects(
          transact(instance, (tx) => tx.save(store, "k", value)),
          "INVALID_ARGUMENT",
        );
      }
      assert.deepEqual([await store.load("k"), await store.load("j")], [undefined, undefined]);
      await store.save("k", "x".repeat(98));
      await store.save("k", "\u20ac".repeat(32));
    },
  },
  {
    title: "calls on one key take effect in their order",
    proves: "every call 3: calls on one key keep their order",
    when: keeps,
    async run(context) {
      const store = storeOf<number>(context);
      // Also before the backend is open.
      for (let round = 0; round < 20; round++) {
        const [, first, , second, third, many, deleted, last] = await Promise.all([
          store.save("k", round),
          store.load("k"),
          store.save("k", round + 1),
          store.loadEntry("k"),
          store.delete("k"),
          store.loadMany(["k"]),
          store.delete("k"),
          store.load("k"),
        ]);
        assert.deepEqual(
          [first, second?.value, third, many.size, deleted, last],
          [round, round + 1, true, 0, false, undefined],
        );
      }
    },
  },
  {
    title: "one call's failure is not its neighbour's",
    proves: "every call 3: neighbours in a batch",
    when: keeps,
    async run(context) {
      const store = storeOf<number>(context);
      await store.save("taken", 0);
      const abort = new AbortController();
      const outcomes = Promise.allSettled([
        store.save("a", 1),
        store.save("taken", 1, { if: { absent: true } }),
        store.save("b", 1),
        store.save("", 1),
        store.load("taken"),
        store.update("taken", () => Promise.reject(new Error("of the application"))),
        store.save("c", 1),
      ]);
      abort.abort();
      assert.deepEqual(
        (await outcomes).map(({ status }) => status),
        ["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"],
      );
      assert.deepEqual([...(await store.loadMany(["a", "b", "c", "taken"])).values()], [1, 1, 1, 0]);
    },
  },
  {
    title: "entries are plain data as JSON",
    proves: "state: Entry has toJSON",
    when: keeps,
    async run(context) {
      const store = storeOf<{ n: number }>(context);
      const version = await store.save("k", { n: 1 });
      assert.deepEqual(JSON.parse(JSON.stringify(await store.loadEntry("k"))), { key: "k", value: { n: 1 }, version });
      await store.save("t", { n: 1 }, { ttl: 60_000 });
      assert.deepEqual(Object.keys((await store.loadEntry("t"))?.toJSON() ?? {}), [
        "key",
        "value",
        "version",
        "expiresAt",
      ]);
    },
  },
];
