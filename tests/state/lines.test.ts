import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, it } from "node:test";
import { deferred } from "../../src/base/async.ts";
import { isHoldfastError } from "../../src/base/errors.ts";
import { space } from "../../src/base/keys.ts";
import { KEEP, transact, transactionFactory, type StateStore, type Transaction } from "../../src/state/index.ts";
import { FaultyLine, settled } from "./support.ts";

const fates = (line: FaultyLine): readonly string[] =>
  line.sent.map(({ group, fate }) => `${group.ops[0]?.op} ${fate}`);

/** What became of calls: a value, a code, or the message of a foreign error. */
async function told(calls: readonly Promise<unknown>[]): Promise<readonly unknown[]> {
  return (await Promise.allSettled(calls)).map((one) => {
    if (one.status === "fulfilled") return one.value;
    return isHoldfastError(one.reason) ? one.reason.code : (one.reason as Error).message;
  });
}

interface Crowd {
  readonly line: FaultyLine;
  readonly store: StateStore<number>;
  readonly near: StateStore<number>;
  /** Ends what the others wait for. */
  begin(): Promise<void>;
  update(fn: (n: number) => number | typeof KEEP, options?: object): Promise<number | undefined>;
}

/** A store that holds 0 under `k`, with an update on its way that those who come wait for. */
async function crowd(): Promise<Crowd> {
  const line = new FaultyLine();
  const [store, near] = [line.store<number>(), line.near<number>()];
  await store.save("k", 0);
  const gate = deferred<void>();
  const head = store.update("k", async (n) => (await gate.promise, n));
  await settled();
  return {
    line,
    store,
    near,
    async begin() {
      gate.resolve();
      await head;
    },
    async update(fn, options) {
      return (await store.update("k", fn, options))?.value;
    },
  };
}

const add = (n: number): number => n + 1;

void describe("calls that wait together on one key", () => {
  void it("are one read and one write", async () => {
    const { line, near, begin, update } = await crowd();
    line.next();
    const calls = Array.from({ length: 50 }, async () => update(add));
    await begin();
    assert.deepEqual(
      await told(calls),
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
    assert.deepEqual([fates(line), await near.load("k")], [["set ok", "get ok", "set ok"], 50]);
  });

  void it("are so many at a time that a turn of the event loop stays short", async () => {
    const { line, begin, update } = await crowd();
    line.next();
    const calls = Array.from({ length: 600 }, async () => update(add));
    await begin();
    assert.deepEqual(new Set(await told(calls)).size, 600);
    assert.ok(line.sent.length >= 4, "the head's write, and those of 256 at most");
  });

  void it("count once where the reply of their write was lost", async () => {
    for (const fate of ["lost", "dropped"] as const) {
      const { line, near, begin, update } = await crowd();
      line.next("ok", "ok", fate);
      const calls = Array.from({ length: 5 }, async () => update(add));
      await begin();
      assert.deepEqual(await told(calls), [1, 2, 3, 4, 5]);
      assert.deepEqual([fates(line), await near.load("k")], [["set ok", "get ok", `set ${fate}`, "set ok"], 5]);
    }
  });

  void it("are told that the outcome is unknown each by itself, but for those who only looked", async () => {
    const { line, begin, update } = await crowd();
    line.next("ok", "ok", "lost", "dropped");
    const calls = [
      update(add),
      update(() => KEEP),
      update(() => {
        throw new Error("of the application");
      }),
      update(add),
    ];
    const errors = Promise.all(calls.map(async (call) => call.catch((error: unknown) => error)));
    await begin();
    assert.deepEqual(await told(calls), ["INDETERMINATE", "UNAVAILABLE", "UNAVAILABLE", "INDETERMINATE"]);
    assert.equal(new Set(await errors).size, 4, "each has an error of its own");
  });

  void it("are refused each by itself where the store cannot be asked, and nothing was written", async () => {
    const { line, near, begin, update } = await crowd();
    line.next("ok", "ok", "refused");
    const calls = Array.from({ length: 3 }, async () => update(add));
    await begin();
    assert.deepEqual(await told(calls), ["UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE"]);
    assert.equal(await near.load("k"), 0);
  });

  void it("run again on what another left, those who fail as well", async () => {
    const { line, near, begin, update } = await crowd();
    line.next("ok", "ok", "hangs");
    const seen: number[] = [];
    const calls = [
      update(add),
      update((n) => {
        seen.push(n);
        if (n === 1) throw new Error("saw what was never so");
        return n + 1;
      }),
    ];
    await begin();
    await settled();
    await near.save("k", 10);
    line.release();
    assert.deepEqual(await told(calls), [11, 12]);
    assert.deepEqual([seen, await near.load("k")], [[1, 11], 12]);
  });

  void it("leave by their signal: one whose write is on its way does not know, one whose is not is not in it", async () => {
    const { line, near, begin, update } = await crowd();
    const reason = new Error("enough");
    const aborts = [new AbortController(), new AbortController()];
    line.next("ok", "ok", "hangs");
    const calls = [
      update(add),
      update(add, { signal: aborts[0]?.signal }),
      update(() => KEEP, { signal: aborts[1]?.signal }),
      update(add),
    ];
    const results = told(calls);
    await begin();
    await settled();
    for (const abort of aborts) abort.abort(reason);
    await settled();
    line.release();
    assert.deepEqual(await results, [1, "INDETERMINATE", "enough", 3]);
    assert.equal(await near.load("k"), 3);
  });

  void it("leave before their write is sent: it is made anew without them", async () => {
    const { line, store, near, begin, update } = await crowd();
    const abort = new AbortController();
    const calls = [update(add), update((n) => n + 100, { signal: abort.signal }), update(add)];
    const results = told(calls);
    // What they write lines up behind another write, which hangs.
    line.next("hangs", "hangs");
    const head = begin();
    await settled();
    const before = store.save("k", 5);
    line.release();
    await head;
    await settled();
    abort.abort(new Error("enough"));
    await settled();
    line.release();
    await before;
    assert.deepEqual(await results, [6, "enough", 7]);
    assert.equal(await near.load("k"), 7);
  });

  void it("run once where a function ends while what those before it changed is on its way", async () => {
    const { line, store, near, begin, update } = await crowd();
    line.next("ok", "ok", "hangs");
    const gate = deferred<void>();
    let runs = 0;
    const calls = [
      update(add),
      store.update("k", async (n) => (runs++, await gate.promise, n + 10)).then((entry) => entry?.value),
      update(add),
    ];
    await begin();
    await settled();
    gate.resolve();
    await settled();
    line.release();
    assert.deepEqual(await told(calls), [1, 11, 12]);
    assert.deepEqual([runs, await near.load("k")], [1, 12]);
  });

  void it("leave by their timeout, and know whether it was the others or the store", async () => {
    const { line, begin, update } = await crowd();
    const early = told([update(add, { timeout: "100ms" })]);
    await line.time.advance("200ms");
    assert.deepEqual(await early, ["CONFLICT"], "the head's function takes its time");
    line.next("hangs");
    const head = begin();
    await settled();
    const late = told([update(add, { timeout: "2s" }), update(add, { timeout: "2s" })]);
    await line.time.advance("3s");
    assert.deepEqual(await late, ["UNAVAILABLE", "UNAVAILABLE"], "the store owes an answer all the while");
    line.release();
    await head;
  });
});

void it("what a caller commits with a transaction is written with it, however often it had to run again", async () => {
  const line = new FaultyLine();
  const instance = line.instance();
  const [store, near] = [line.store<number>({}, instance), line.near<number>()];
  const own = { space: space("result", "", "own"), key: "r" };
  const result = { op: "set", key: own, id: "1", value: "v", if: { absent: true } } as const;
  let [runs, commits] = [0, 0];
  await transactionFactory(instance).run(
    async (tx) => {
      await tx.upsert(store, "k", (n) => (n ?? 0) + 1);
      if (runs++ < 4) await near.save("k", 10 * runs);
    },
    {
      signal: undefined,
      timeoutMs: 5_000,
      commit: async (request) => (commits++, request({ ops: [result] }, instance.ownCall())),
    },
  );
  assert.deepEqual([runs, commits, await near.load("k")], [5, 5, 41]);
  const written = line.sent.filter(({ group }) => group.ops.includes(result));
  assert.equal(written.length, 5, "it was part of every try");
});

void it("those whose function has run wait for no read of another's: neither to leave, nor, for long, to be written", async () => {
  const line = new FaultyLine();
  const instance = line.instance();
  const [store, near] = [line.store<number>({}, instance), line.near<number>()];
  const gate = deferred<void>();
  const count = async (key: string, run: (tx: Transaction) => Promise<unknown>, signal?: AbortSignal) =>
    transact(instance, async (tx) => (tx.save(store, key, ((await tx.load(store, key)) ?? 0) + 1), run(tx)), {
      signal,
    });
  let runs = 0;
  // Two conflicts, and its turn: until that ends, those who want the same wait for it.
  const head = count("k", async () => (++runs < 3 ? near.save("k", 10 * runs) : gate.promise));
  while (runs < 3) await settled();
  const abort = new AbortController();
  let tries = 0;
  const calls = [
    count("k", async () => undefined, abort.signal),
    count("k", async () => undefined),
    count("k", async (tx) => {
      if (++tries !== 2) return;
      line.next("hangs");
      await tx.load(store, "other");
    }),
  ];
  await settled();
  gate.resolve();
  await head;
  while (tries < 2) await settled();
  abort.abort(new Error("enough"));
  await assert.rejects(calls[0] as Promise<unknown>, { message: "enough" });
  const second = calls[1] as Promise<unknown>;
  await Promise.race([second, line.time.advance("2s").then(settled)]);
  assert.equal(await near.load("k"), 22, "the second one");
  line.release();
  assert.deepEqual([...(await told(calls)), await near.load("k")], ["enough", undefined, undefined, 23]);
});

void it("a function runs where its caller called, whoever set it going", async () => {
  const { store, begin } = await crowd();
  const caller = new AsyncLocalStorage<number>();
  const calls = Array.from({ length: 5 }, async (_, i) =>
    caller.run(i, async () =>
      store.update("k", async (n) => (await settled(), n + 10 ** (caller.getStore() as number))),
    ),
  );
  await begin();
  await Promise.all(calls);
  assert.equal(await store.load("k"), 11_111);
});

void it("a function that runs again does so where its caller called, though others wait by now", async () => {
  const line = new FaultyLine();
  const [store, near] = [line.store<string>(), line.near<string>()];
  await store.save("k", "");
  const caller = new AsyncLocalStorage<string>();
  const gates = [deferred<void>(), deferred<void>()];
  const seen: (string | undefined)[] = [];
  const call = async (name: string, gate: Promise<void> | undefined): Promise<unknown> =>
    caller.run(name, async () =>
      store.update("k", async (text) => {
        seen.push(`${name} ${caller.getStore()}`);
        await gate;
        return text + name;
      }),
    );
  const first = call("a", gates[0]?.promise);
  await settled();
  // It goes on by itself, and meets a conflict while another one is at work.
  await line.time.advance("2s");
  await near.save("k", "x");
  const second = call("b", gates[1]?.promise);
  await settled();
  gates[0]?.resolve();
  await settled();
  gates[1]?.resolve();
  await Promise.all([first, second]);
  assert.deepEqual([seen, await near.load("k")], [["a a", "b b", "a a"], "xba"]);
});

void it("a turn whose holder died ends by itself", async () => {
  const line = new FaultyLine();
  const [dead, alive] = [line.instance(), line.instance()];
  const turn = { space: space("turns", "", "transact"), key: "transact" };
  const acquire = { op: "acquire", lock: turn, owner: "dead", mode: "exclusive", ttl: 2_000, info: "" } as const;
  await dead.execute({ ops: [acquire] }, dead.ownCall());
  const [store, near] = [line.store<number>({}, alive), line.near<number>()];
  let runs = 0;
  const done = transact(alive, async (tx) => {
    const n = await tx.load(store, "k");
    if (runs++ < 2) await near.save("k", runs);
    tx.save(store, "k", (n ?? 0) + 1);
  });
  await line.time.advance("1s");
  assert.equal(await near.load("k"), 2);
  await line.time.advance("2s");
  await done;
  assert.equal(await near.load("k"), 3);
});

void it("a transaction inside of the function of one whose turn it is does not wait for that turn", async () => {
  const line = new FaultyLine();
  const instance = line.instance();
  const store = line.store<number>({}, instance);
  const count = async (key: string, inside?: () => Promise<void>): Promise<void> =>
    transact(instance, async (tx) => {
      const n = (await tx.load(store, key)) ?? 0;
      await inside?.();
      tx.save(store, key, n + 1);
    });
  // So many that they do not try without a turn any more; the clock stands still, so a turn that had to end by itself never would.
  const workers = Array.from({ length: 16 }, async (_, i) => {
    for (let n = 0; n < 8; n++) await count("k", async () => count(`own ${i}`));
  });
  await Promise.all(workers);
  assert.equal(await store.load("k"), 128);
});
