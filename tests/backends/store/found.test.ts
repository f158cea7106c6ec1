import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { storeBackend } from "../../../src/backends/store/index.ts";
import { StoreError } from "../../../src/backends/store/store-error.ts";
import type { Store } from "../../../src/backends/store/store.ts";
import type { Examination, Operation } from "../../../src/port/index.ts";
import { ask, read, record, set } from "./asking.ts";
import { CellServer } from "./memory-store.ts";

describe("what a store finds out when it is opened", () => {
  const told: Omit<Examination, "capabilities"> = { facts: [], findings: [], leavesOpen: ["all"], roundTrips: [] };

  it("counts instead of what it declared", async () => {
    const store = new CellServer({ atomic: "any" }).store();
    const declares = { maxContent: 5_000, durability: "disk" } as const;
    const backend = storeBackend({
      name: "cells",
      store: {
        ...store,
        open: async (limit) => ({ ...(await store.open(limit)), declares }),
        examine: async () => ({ ...told, declares }),
      },
    });
    const { capabilities } = await backend.open();
    assert.equal(capabilities.durability, "disk");
    assert.equal(capabilities.maxValue, 5_000 - 4_096);
    const refused = await ask(backend, { ops: [set(record, { value: "v".repeat(1_000) })] });
    assert.ok(!refused.ok && refused.why === "failed" && !refused.sent);
    assert.deepEqual(await backend.examine?.({ deadline: Infinity }), { ...told, capabilities });
    await backend.close();
  });

  it("is refused where it cannot be", async () => {
    const store = new CellServer({ atomic: "any" }).store();
    const open: Store["open"] = async (limit) => ({ ...(await store.open(limit)), declares: { maxContent: 7 } });
    const backend = storeBackend({ name: "cells", store: { ...store, open } });
    await assert.rejects(backend.open(), { code: "INVALID_ARGUMENT", message: /`declares.maxContent` must be/ });
    await backend.close();
  });
});

describe("a cell that cannot be read", () => {
  it("fails those who ask for it, and nobody else", async () => {
    const store = new CellServer({ atomic: "one", clock: "client" }).store();
    const backend = storeBackend({
      name: "cells",
      store: {
        ...store,
        async read(keys, limit) {
          const { cells } = await store.read(keys, limit);
          const away = new StoreError("its server is away", { sent: false });
          return { cells: cells.map((cell, i) => (keys[i]?.endsWith("away") ? away : cell)) };
        },
      },
    });
    await backend.open();
    const groups = ["a", "away", "b"].map((key): { ops: Operation[] } => ({
      ops: [{ op: "get", key: { ...record, key } }],
    }));
    const call = { deadline: performance.now() + 2_000, claim: () => true };
    const outcomes = await backend.session().execute(groups, call);
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.ok ? "ok" : outcome.why === "failed" && outcome.error.message)),
      ["ok", "its server is away", "ok"],
    );
    await backend.close();
  });
});

describe("a store that keeps no fences", () => {
  it("is written without a look at what is there, but for writes that depend on it", async () => {
    const server = new CellServer({ atomic: "one", clock: "client", guard: "none" });
    const [one, other] = [0, 1].map(() => storeBackend({ name: "cells", store: server.store() }));
    assert.ok(one && other);
    for (const backend of [one, other, one]) assert.ok((await ask(backend, { ops: [set(record)] })).ok);
    assert.deepEqual([server.counts.reads, server.counts.commits, server.counts.refused], [0, 3, 0]);
    const kept = await ask(other, { ops: [set(record, { value: "w", ttl: "keep" })] });
    assert.ok(kept.ok);
    assert.ok(server.counts.reads > 0);
    const absent = await ask(one, { ops: [set(record, { if: { absent: true } })] });
    assert.equal(!absent.ok && absent.why, "conflict");
    const found = await read(one);
    assert.equal(found.ok && (found.results[0] as { value: string }).value, "w");
    for (const backend of [one, other]) await backend.close();
  });

  it("has what meets at one key decided in its order", async () => {
    const server = new CellServer({ atomic: "one", clock: "client", guard: "none" });
    const backend = storeBackend({ name: "cells", store: server.store() });
    const groups = [
      set(record, { id: "x" }),
      { op: "touch", key: record, ttl: 60_000 } as const,
      set(record, { if: { id: "x" } }),
    ];
    const sessions = groups.map(() => backend.session());
    const call = { deadline: performance.now() + 2_000, claim: () => true };
    const outcomes = await Promise.all(
      sessions.map(async (session, i) => session.execute([{ ops: [groups[i] as Operation] }], call)),
    );
    assert.deepEqual(
      outcomes.flat().map(({ ok }) => ok),
      [true, true, true],
    );
    assert.deepEqual([server.counts.reads, server.counts.commits], [0, 1]);
    // Whoever is first may have gone: then what is there must be read for those behind.
    const gone = { ...call, claim: () => false };
    const [first, second] = await Promise.all([
      backend.session().execute([{ ops: [set({ ...record, key: "n" })] }], gone),
      backend.session().execute([{ ops: [{ op: "touch", key: { ...record, key: "n" }, ttl: 60_000 }] }], call),
    ]);
    assert.equal(first[0]?.ok, false);
    assert.deepEqual(second[0], { ok: true, results: [false] });
    await backend.close();
  });
});
