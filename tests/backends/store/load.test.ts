import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { drawId } from "../../../src/base/ids.ts";
import { space, type Key } from "../../../src/base/keys.ts";
import { storeBackend } from "../../../src/backends/store/index.ts";
import type { Backend, Group, Operation, Outcome, Session, StoredRecord } from "../../../src/port/index.ts";
import { CellServer, type MemoryStoreOptions } from "./memory-store.ts";

const key = (name: string): Key => ({ space: space("state", "load", "records"), key: name });
const lock: Key = { space: space("lock", "load", "locks"), key: "k" };

const kinds: readonly MemoryStoreOptions[] = [
  { atomic: "one", clock: "client" },
  { atomic: "any", clock: "server" },
];

async function each(
  server: CellServer,
  backends: number,
  run: (made: readonly Backend[]) => Promise<void>,
): Promise<void> {
  const made = Array.from({ length: backends }, () => storeBackend({ name: "cells", store: server.store() }));
  try {
    await run(made);
  } finally {
    await Promise.all(made.map(async (backend) => backend.close()));
  }
}

async function ask(session: Session, ...ops: Operation[]): Promise<Outcome> {
  const [outcome] = await session.execute([{ ops }], { deadline: Infinity, claim: () => true });
  return outcome as Outcome;
}

async function find(session: Session, name: string): Promise<StoredRecord | undefined> {
  const outcome = await ask(session, { op: "get", key: key(name) });
  assert.ok(outcome.ok);
  return outcome.results[0] as StoredRecord | undefined;
}

const turns = async (most: number): Promise<void> => {
  for (let i = Math.floor(Math.random() * most); i > 0; i--) await new Promise((resolve) => setImmediate(resolve));
};

for (const kind of kinds) {
  describe(`many at once on ${kind.atomic} cell a transaction`, () => {
    it("nothing that was said to be unsent takes effect, of thousands that meet their deadline", async () => {
      const server = new CellServer({ ...kind, meddle: () => turns(40) });
      await each(server, 2, async ([first, second]) => {
        const sessions = [first, first, second].map((backend) => (backend as Backend).session());
        const unsent: { readonly name: string; readonly id: string }[] = [];
        const counts = { done: 0, unsent: 0, unknown: 0, other: 0 };
        // A busy machine makes all of them late: then some are given more time.
        for (let round = 0; round < 60 || (counts.done <= 50 && round < 2_000); round++) {
          const calls = sessions.map(async (session) => {
            const groups = Array.from({ length: 30 }, (_, i): Group & { ops: [Operation & { op: "set" }] } => {
              const name = `${round}.${i}`;
              return {
                ops: [{ op: "set", key: key(name), id: drawId(), value: "v", ttl: i % 2 ? "keep" : undefined }],
              };
            });
            const deadline = (first as Backend).time.monotonic() + Math.random() * (6 + round / 10);
            const outcomes = await session.execute(groups, { deadline, claim: () => Math.random() < 0.9 });
            for (const [i, outcome] of outcomes.entries()) {
              const [{ id, key: written }] = (groups[i] as (typeof groups)[number]).ops;
              if (outcome.ok) counts.done++;
              else if (outcome.why !== "failed") counts.other++;
              else if (outcome.sent) counts.unknown++;
              else {
                counts.unsent++;
                unsent.push({ name: written.key, id });
              }
            }
          });
          await Promise.all(calls);
        }
        assert.ok(counts.done > 50 && counts.unsent > 500, JSON.stringify(counts));
        assert.equal(counts.other, 0, "nobody asked for anything");
        const ids = new Set(unsent.map(({ id }) => id));
        for (let i = 0; i < 40; i++) await turns(40);
        assert.deepEqual(server.written(ids), [], "what was said to be unsent is in no cell, and never was");
      });
    });

    it("two sessions of one backend lose no update of one record", async () => {
      await each(new CellServer(kind), 2, async (backends) => {
        const sessions = backends.flatMap((backend) => [backend.session(), backend.session()]);
        const add = async (session: Session): Promise<void> => {
          for (;;) {
            const found = await find(session, "sum");
            const value = String(Number(found?.value ?? 0) + 1);
            const condition = found ? { id: found.id } : ({ absent: true } as const);
            const { ok } = await ask(session, { op: "set", key: key("sum"), id: drawId(), value, if: condition });
            if (ok) return;
          }
        };
        await Promise.all(
          sessions.map(async (session) => {
            for (let i = 0; i < 50; i++) await add(session);
          }),
        );
        assert.equal((await find(sessions[0] as Session, "sum"))?.value, "200");
      });
    });

    it("a release ends after few commits, however many ask for the lock all the time", async () => {
      const server = new CellServer({ ...kind, meddle: () => turns(4) });
      await each(server, 50, async (backends) => {
        const sessions = backends.map((backend) => backend.session());
        const acquire = (owner: string, ttl = 60_000): Operation => {
          return { op: "acquire", lock, owner, mode: "exclusive", ttl, info: "", wait: { claimMs: 60_000 } };
        };
        let over = false;
        let entered = 0;
        let most = 0;
        const waiter = async (session: Session, i: number): Promise<void> => {
          for (let first = true; !over; first = false) {
            const { ok } = await ask(session, acquire(`w${i}`));
            if (first) entered++;
            if (!ok) continue;
            await turns(4);
            const before = server.counts.transactions;
            await ask(session, { op: "release", lock, owner: `w${i}` });
            most = Math.max(most, server.counts.transactions - before);
            return;
          }
        };
        const [holder, ...others] = sessions as [Session, ...Session[]];
        assert.ok((await ask(holder, acquire("holder"))).ok);
        const waiting = Promise.all(others.map(waiter));
        while (entered < others.length) await turns(10);
        const before = server.counts.transactions;
        assert.ok((await ask(holder, { op: "release", lock, owner: "holder" })).ok);
        most = Math.max(most, server.counts.transactions - before);
        await waiting;
        over = true;
        // What only asks again commits nothing: a busy machine lets some that begin to wait come in between.
        assert.ok(most <= 100, `${most} commits while a release was under way`);
      });
    });
  });
}
