import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { drawId } from "../../../src/base/ids.ts";
import type { Key } from "../../../src/base/keys.ts";
import { systemTime, type Time } from "../../../src/base/time.ts";
import { storeBackend } from "../../../src/backends/store/index.ts";
import type { Store } from "../../../src/backends/store/store.ts";
import type { Group, LockState, Operation, Outcome } from "../../../src/port/index.ts";
import { acquire, ask, floor, lock, read, record, set, tag } from "./asking.ts";
import { CellServer, type MemoryStoreOptions } from "./memory-store.ts";

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

describe("what is guessed", () => {
  for (const atomic of ["one", "any"] as const) {
    it(`new keys of a space where keys are new take one request, and a guess that is wrong costs no write: ${atomic}`, async () => {
      const server = new CellServer({ atomic, clock: "server" });
      const [one, other] = [1, 2].map(() => storeBackend({ name: "cells", store: server.store() }));
      assert.ok(one && other);
      const keyOf = (i: number): Key => ({ ...record, key: String(i) });
      for (let i = 0; i < 20; i++) assert.ok((await ask(one, { ops: [set(keyOf(i))] })).ok);
      const before = server.counts.reads;
      assert.ok(before <= 5, `${before} reads`);
      for (let i = 20; i < 30; i++) assert.ok((await ask(one, { ops: [set(keyOf(i), { ttl: 60_000 })] })).ok);
      assert.equal(server.counts.reads - before, 10, "what ends so many ms from now on needs the server's time");
      const made = set(keyOf(100));
      assert.ok((await ask(other, { ops: [made] })).ok);
      const outcome = await ask(one, { ops: [set(keyOf(100), { if: { absent: true } })] });
      assert.ok(!outcome.ok && outcome.why === "conflict" && outcome.current?.id === made.id);
      const { reads, refused } = server.counts;
      for (let i = 0; i < 20; i++) assert.ok((await ask(other, { ops: [set(keyOf(i))] })).ok);
      assert.ok(server.counts.refused - refused <= 1, "where keys are there, it is not guessed that they are not");
      assert.ok(server.counts.reads - reads >= 19);
      await Promise.all([one.close(), other.close()]);
    });
  }
});

describe("time that passes unseen", () => {
  for (const atomic of ["one", "any"] as const) {
    it(`an extension lasts its ttl, although a reply came late and no read came since: ${atomic}`, async () => {
      let wall = 1_700_000_000_000;
      const time: Time = { ...systemTime, wall: () => wall, monotonic: () => wall };
      let pauses = 0;
      const meddle = async (what: string, when: string): Promise<void> => {
        if (what === "read" && when === "reply") wall += pauses;
      };
      const server = new CellServer({ atomic, clock: "server", timed: true, time, meddle });
      const [one, other] = [1, 2].map(() => storeBackend({ name: "cells", store: server.store(), time }));
      assert.ok(one && other);
      for (pauses of [5_000, 40, 10]) {
        const owner = `owner ${pauses}`;
        const granted = await ask(one, { ops: [acquire(owner, 60_000)] }, 10_000);
        assert.ok(granted.ok);
        const { grant } = granted.results[0] as { grant: number };
        const start = wall;
        assert.ok((await ask(one, { ops: [{ op: "extend", lock, owner, grant, ttl: 10_000 }] }, 20_000)).ok);
        pauses = 0;
        const seen = await ask(other, { ops: [{ op: "inspect", lock }] });
        assert.ok(seen.ok);
        const [hold] = (seen.results[0] as LockState).holders;
        assert.ok(hold && wall + hold.remainingMs >= start + 10_000, `${hold?.remainingMs} ms are left`);
        assert.ok((await ask(one, { ops: [{ op: "release", lock, owner }] })).ok);
      }
      await Promise.all([one.close(), other.close()]);
    });
  }

  for (const [timed, taken] of [
    [true, true],
    [true, false],
    [false, true],
  ] as const) {
    it(`a guarded write that was held up until its lease had ended is refused: ${timed ? "" : "not "}compared, ${taken ? "" : "not "}taken`, async () => {
      const { server, time, pass } = slow({ atomic: "any", clock: "server", timed });
      const store = server.store();
      let beforeCommit: (() => Promise<void>) | undefined;
      const commit: Store["commit"] = async (...to) => {
        const wait = beforeCommit;
        beforeCommit = undefined;
        await wait?.();
        return store.commit(...to);
      };
      const one = storeBackend({ name: "cells", store: { ...store, commit }, time });
      const other = storeBackend({ name: "cells", store: server.store(), time });
      const granted = await ask(one, { ops: [acquire("one", 1_000)] });
      assert.ok(granted.ok);
      const { grant } = granted.results[0] as { grant: number };
      beforeCommit = async () => {
        pass(1_000);
        if (taken) assert.ok((await ask(other, { ops: [acquire("other", 60_000)] })).ok);
      };
      const outcome = await ask(one, { guards: [{ lock, owner: "one", grant }], ops: [set(record)] }, 10_000);
      assert.deepEqual(outcome, { ok: false, why: "fenced", at: -1 });
      const found = await read(other);
      assert.deepEqual(found, { ok: true, results: [undefined] });
      await Promise.all([one.close(), other.close()]);
    });
  }

  for (const kind of kinds) {
    const groups: readonly (readonly [string, () => Group])[] = [
      ["of one key", () => ({ ops: [set(record)] })],
      ["of several", () => ({ ops: [set(record), set({ ...record, key: "s" })] })],
    ];
    for (const [what, group] of kind.atomic === "any" ? groups : groups.slice(0, 1)) {
      it(`nothing is sent, or sent again, after its deadline: a group ${what}, ${called(kind)}`, async () => {
        const { server, time } = slow(kind);
        const backend = storeBackend({ name: "cells", store: server.store(), time });
        const unsent = await ask(backend, group(), 12); // over when the cells have been read
        assert.ok(!unsent.ok && unsent.why === "failed" && !unsent.sent, JSON.stringify(unsent));
        assert.equal(server.counts.transactions, 0);

        const store = server.store();
        let disturbs = true;
        const commit: Store["commit"] = async (all, limit) => {
          if (disturbs) return all.map(() => (time.monotonic() < limit.deadline ? false : assert.fail("sent late")));
          return store.commit(all, limit);
        };
        const again = storeBackend({ name: "cells", store: { ...store, commit }, time });
        const refused = await ask(again, group(), 100);
        assert.ok(!refused.ok && refused.why === "failed" && !refused.sent, JSON.stringify(refused));
        disturbs = false;
        assert.equal(server.counts.transactions, 0);
        await Promise.all([backend.close(), again.close()]);
      });
    }
  }
});
