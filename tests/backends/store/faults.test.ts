import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deferred } from "../../../src/base/async.ts";
import type { Time } from "../../../src/base/time.ts";
import { storeBackend } from "../../../src/backends/store/index.ts";
import type { Store } from "../../../src/backends/store/store.ts";
import type { Outcome } from "../../../src/port/index.ts";
import { ask, record, set } from "./asking.ts";
import { CellServer } from "./memory-store.ts";

describe("a store that does not answer as it must", () => {
  const cells = (): Store => new CellServer({ atomic: "any", clock: "server" }).store();
  const wrongs: readonly (readonly [string, (store: Store) => Partial<Store>, RegExp])[] = [
    ["too few cells", () => ({ read: async () => ({ cells: [], now: 1 }) }), /`read` must give an array of 1 cells/],
    ["no cells", () => ({ read: async () => ({ now: 1 }) as never }), /`read` must give/],
    ["nothing", () => ({ read: async () => undefined as never }), /`read` must give/],
    ["null for a cell", () => ({ read: async () => ({ cells: [null as never], now: 1 }) }), /`read` must give/],
    ["no time", ({ read: ok }) => ({ read: async (...to) => ({ ...(await ok(...to)), now: undefined }) }), /`now`/],
    ["no answers", () => ({ commit: async () => undefined as never }), /`commit` must give an array of 1 answers/],
    ["too few answers", () => ({ commit: async () => [] }), /`commit` must give an array of 1 answers/],
    ["a strange answer", () => ({ commit: async () => ["OK" as never] }), /`commit` must give a boolean/],
  ];
  for (const [what, wrong, message] of wrongs) {
    it(`${what}: a clear error`, async () => {
      const store = cells();
      const backend = storeBackend({ name: "cells", store: { ...store, ...wrong(store) } });
      const outcome = await ask(backend, { ops: [set(record)] });
      assert.ok(!outcome.ok && outcome.why === "failed", JSON.stringify(outcome));
      assert.match(outcome.error.message, message);
      assert.equal(outcome.sent, what.includes("answer"));
      await backend.close();
    });
  }

  it("a scan must go on from where it was, so that a listing ends", async () => {
    const { space: within } = record;
    for (const found of [undefined, ["other"], [`${within.id}b`], Array.from({ length: 9 }, (_, i) => within.id + i)]) {
      const store: Store = { ...new CellServer({ atomic: "any" }).store(), scan: async () => found as string[] };
      const session = storeBackend({ name: "cells", store }).session();
      const page = async (cursor?: string): ReturnType<typeof session.page> =>
        session.page({ space: within, prefix: "", limit: 1, cursor }, { deadline: performance.now() + 10_000 });
      const listing = async (): Promise<void> => {
        const { cursor } = await page();
        await page(cursor);
      };
      await assert.rejects(listing(), /`scan` must give at most 1 keys that begin with the prefix/);
    }
  });

  it("a store that declares what cannot be is refused at once", () => {
    const store = new CellServer({ atomic: "any" }).store();
    const wrong = [
      { atomic: "all" },
      { declares: undefined },
      { declares: { ...store.declares, clock: "never" } },
      { declares: { ...store.declares, maxContent: undefined } },
      { declares: { ...store.declares, guard: "none" } },
      { declares: { ...store.declares, mostCells: 7 } },
      { declares: { ...store.declares, mostRead: 0 } },
      { servers: { count: 2, of: () => 0 } },
      { atomic: "one", servers: { count: 0, of: () => 0 } },
      { atomic: "one", servers: { count: 2_000, of: () => 0 } },
    ];
    for (const one of wrong) {
      const refused = { code: "INVALID_ARGUMENT", message: /^the store of cells: `(atomic|declares|servers)/ };
      assert.throws(() => storeBackend({ name: "cells", store: { ...store, ...one } as never }), refused);
    }
  });

  it("a server of several that does not answer holds up those who ask it, and nobody else", async () => {
    const store = new CellServer({ atomic: "one", clock: "client", servers: 2 }).store();
    const answer = deferred<void>();
    let asked = 0;
    const read: Store["read"] = async (keys, limit) => {
      if (keys.some((key) => key.length % 2 === 0)) {
        asked++;
        await answer.promise;
      }
      return store.read(keys, limit);
    };
    const backend = storeBackend({ name: "cells", store: { ...store, read } });
    const session = backend.session();
    const load = async (key: string): Promise<Outcome> => {
      const call = { deadline: performance.now() + 60_000, claim: () => true };
      const [outcome] = await session.execute([{ ops: [{ op: "get", key: { ...record, key } }] }], call);
      return outcome as Outcome;
    };
    await backend.open();
    const isSlow = (key: string): boolean => (record.space.id + key).length % 2 === 0;
    const [slow, quick] = isSlow("a") ? ["a", "bb"] : ["bb", "a"];
    let answered = 0;
    const waiting: Promise<unknown>[] = [];
    for (let i = 0; i < 40; i++) {
      waiting.push(load(slow).then(() => answered++));
      await Promise.resolve();
      assert.ok((await load(quick)).ok);
    }
    assert.equal(answered, 0);
    assert.equal(asked, 16, "requests that are open");
    answer.resolve();
    await Promise.all(waiting);
    await backend.close();
  });

  it("each call ends at its deadline, the requests stay few, and once it answers again all is well", async () => {
    let wall = 1_700_000_000_000;
    const due = new Set<{ readonly at: number; readonly fn: () => void }>();
    const time: Time = {
      wall: () => wall,
      monotonic: () => wall,
      after(ms, fn) {
        const timer = { at: wall + ms, fn };
        due.add(timer);
        return { clear: () => due.delete(timer) };
      },
    };
    const pass = (ms: number): void => {
      wall += ms;
      for (const timer of due) {
        if (timer.at > wall) continue;
        due.delete(timer);
        timer.fn();
      }
    };
    const store = new CellServer({ atomic: "any", clock: "server", time }).store();
    let silent = true;
    let asked = 0;
    const backend = storeBackend({
      name: "cells",
      time,
      store: {
        ...store,
        read: async (...to) => (silent ? (asked++, new Promise<never>(() => undefined)) : store.read(...to)),
      },
    });
    await backend.open();
    const session = backend.session();
    const calls: Promise<readonly Outcome[]>[] = [];
    for (let i = 0; i < 2_000; i++) {
      const group = { ops: [set({ ...record, key: String(i % 500) })] };
      calls.push(session.execute([group], { deadline: wall + 100, claim: () => true }));
      await Promise.resolve();
    }
    pass(100);
    for (const [outcome] of await Promise.all(calls)) {
      assert.ok(outcome && !outcome.ok && outcome.why === "failed" && !outcome.sent);
    }
    assert.ok(asked > 0 && asked <= 16, `${asked} requests`);
    silent = false;
    pass(10_000);
    assert.ok((await ask(backend, { ops: [set(record)] })).ok);
    await backend.close();
  });
});
