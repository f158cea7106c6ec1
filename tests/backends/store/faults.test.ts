import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { drawId } from "../../../src/base/ids.ts";
import { space, type Key } from "../../../src/base/keys.ts";
import { systemTime, type Time } from "../../../src/base/time.ts";
import { storeBackend } from "../../../src/backends/store/index.ts";
import type { Store } from "../../../src/backends/store/store.ts";
import type { Backend, Group, Operation, Outcome } from "../../../src/port/index.ts";
import { CellServer, type MemoryStoreOptions } from "./memory-store.ts";

const record: Key = { space: space("state", "faults", "records"), key: "r" };
const tag: Key = { space: space("stamp", "faults", "records"), key: "t" };
const lock: Key = { space: space("lock", "faults", "locks"), key: "l" };

const kinds: readonly MemoryStoreOptions[] = [
  { atomic: "one", clock: "client", timed: false },
  { atomic: "one", clock: "server", timed: false },
  { atomic: "any", clock: "server", timed: false },
  { atomic: "any", clock: "server", timed: true },
];
const called = ({ atomic, clock, timed }: MemoryStoreOptions): string =>
  `${atomic} cell a transaction, the ${clock}'s clock, ${timed ? "compared" : "not compared"}`;

/** A server whose every request takes 8 ms of its clock, and 8 ms of its reply. */
function slow(options: MemoryStoreOptions): { server: CellServer; time: Time; pass(ms: number): void } {
  let wall = 1_700_000_000_000;
  const time: Time = { ...systemTime, wall: () => wall, monotonic: () => wall };
  const meddle = async (): Promise<void> => void (wall += 8);
  return { time, pass: (ms) => void (wall += ms), server: new CellServer({ ...options, time, meddle }) };
}

async function ask(backend: Backend, group: Group, ms = 2_000): Promise<Outcome> {
  const call = { deadline: backend.time.monotonic() + ms, claim: () => true };
  const [outcome] = await backend.session().execute([group], call);
  return outcome as Outcome;
}

const set = (key: Key, more: Partial<Operation & { op: "set" }> = {}): Operation & { op: "set" } => {
  return { op: "set", key, id: drawId(), value: "v", ...more };
};
const floor = (grant: number, keepMs = 60_000): Operation => ({ op: "floor", key: record, grant, n: 0, keepMs });
const acquire = (owner: string, ttl: number): Operation => {
  return { op: "acquire", lock, owner, mode: "exclusive", ttl, info: "" };
};
const read = async (backend: Backend): Promise<Outcome> => ask(backend, { ops: [{ op: "get", key: record }] });

for (const kind of kinds) {
  describe(called(kind), () => {
    const short: readonly (readonly [string, Operation[], Outcome["ok"]])[] = [
      ["a floor that is kept for a ms", [floor(1, 1)], true],
      ["a record that lives for a ms", [set(record, { ttl: 1 })], true],
      ["both", [floor(1, 1), set(record, { ttl: 1 })], true],
      ["a lease of a ms", [acquire("one", 1)], true],
      [
        "an extension by a ms of a lease that has ended",
        [{ op: "extend", lock, owner: "one", grant: 1, ttl: 1 }],
        false,
      ],
    ];
    for (const [what, ops, ok] of short) {
      it(`a request takes longer than it lasts: ${what}`, async () => {
        const { server, time } = slow(kind);
        const backend = storeBackend({ name: "cells", store: server.store(), time });
        for (let i = 0; i < 3; i++) {
          const outcome = await ask(backend, {
            ops: ops.map((op) => (op.op === "set" ? { ...op, id: drawId() } : op)),
          });
          assert.equal(outcome.ok, ok, JSON.stringify(outcome));
          assert.ok(outcome.ok || outcome.why === "fenced");
        }
        assert.ok(server.counts.transactions <= 6, `${server.counts.transactions} commits`);
        await backend.close();
      });
    }

    it("groups that are decided together count on what the one before wrote for a ms", async () => {
      const { server, time } = slow(kind);
      const backend = storeBackend({ name: "cells", store: server.store(), time });
      const session = backend.session();
      const first = set(record, { ttl: 1 });
      const groups: Group[] = [{ ops: [first] }, { ops: [set(record, { if: { id: first.id } })] }];
      const calls = groups.map(async (group) => {
        return session.execute([group], { deadline: time.monotonic() + 2_000, claim: () => true });
      });
      const outcomes = (await Promise.all(calls)).flat();
      assert.deepEqual(
        outcomes.map(({ ok }) => ok),
        [true, true],
      );
      assert.ok((await read(backend)).ok);
      await backend.close();
    });

    it("a record that ends before a commit arrives is not written again as if it lived", async () => {
      const { server, time, pass } = slow(kind);
      const backend = storeBackend({ name: "cells", store: server.store(), time });
      const made = set(record, { ttl: 100 });
      assert.ok((await ask(backend, { ops: [made] })).ok);
      pass(68); // 8 ms are left when the cell has been read
      const outcome = await ask(backend, { ops: [{ op: "touch", key: record, ttl: 60_000, if: { id: made.id } }] });
      const found = await read(backend);
      assert.ok(found.ok);
      const seen = found.results[0] as { expiresAt: number } | undefined;
      assert.ok(outcome.ok ? seen : !seen, "what it said is what is there");
      await backend.close();
    });

    it("a blind write of a key with a fence needs no time", async () => {
      const { server, time } = slow(kind);
      const backend = storeBackend({ name: "cells", store: server.store(), time });
      assert.ok((await ask(backend, { ops: [floor(5), set(record)] })).ok);
      assert.ok((await ask(backend, { ops: [set(record, { value: "w" })] })).ok);
      const outcome = await ask(backend, { ops: [floor(4)] });
      assert.ok(!outcome.ok && outcome.why === "fenced", "the fence is still there");
      await backend.close();
    });

    it("a stamp that somebody else has changed is not remembered as current", async () => {
      const { server, time } = slow(kind);
      const [one, other] = [1, 2].map(() => storeBackend({ name: "cells", store: server.store(), time }));
      assert.ok(one && other);
      const stamp = set(tag);
      assert.ok((await ask(one, { ops: [stamp] })).ok);
      assert.ok((await ask(one, { ops: [set(record, { stamps: [{ key: tag, id: stamp.id }] })] })).ok);
      assert.ok((await ask(other, { ops: [set(tag)] })).ok);
      const outcome = await ask(one, { ops: [{ op: "touch", key: record, ttl: 60_000, stamped: true }] });
      assert.deepEqual(outcome, { ok: true, results: [false] });
      await Promise.all([one.close(), other.close()]);
    });
  });
}

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
      { declares: { ...store.declares, clock: "none" } },
      { declares: { ...store.declares, maxContent: undefined } },
      { declares: { ...store.declares, mostCells: 7 } },
      { declares: { ...store.declares, mostRead: 0 } },
    ];
    for (const one of wrong) {
      const refused = { code: "INVALID_ARGUMENT", message: /^the store of cells: `(atomic|declares)/ };
      assert.throws(() => storeBackend({ name: "cells", store: { ...store, ...one } as never }), refused);
    }
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
