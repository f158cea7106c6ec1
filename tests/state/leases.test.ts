import assert from "node:assert/strict";
import { it } from "node:test";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { Instance } from "../../src/client/index.ts";
import { Lock } from "../../src/lock/index.ts";
import { sendGroup } from "../../src/state/commit.ts";
import { StateStore, transact, transactionFactory } from "../../src/state/index.ts";

/** A store, a lock beside it, and a lock of another server; all of one name. */
function stand() {
  const server = new MemoryServer();
  const instance = new Instance(memoryBackend({ server }));
  const store = new StateStore<number>(instance, "orders");
  const lock = new Lock(instance, "orders", { transactions: transactionFactory(instance) });
  const far = new Lock(new Instance(memoryBackend({})), "orders");
  return { server, instance, store, lock, far };
}

void it("writes under a held lease take effect, under a released one nothing is sent", async () => {
  const { instance, store, lock } = stand();
  const lease = await lock.acquire(["a", "b"]);
  await store.save("k", 1, { lease });
  await store.update("k", (n) => n + 1, { lease });
  await transact(instance, async (tx) => tx.update(store, "k", (n) => n + 1), { lease });
  assert.equal((await store.loadEntry("k", { lease }))?.value, 3);
  assert.equal(await lease.release(), "released");
  await assert.rejects(store.save("k", 9, { lease }), { code: "FENCED" });
  assert.equal(await store.load("k"), 3);
});

void it("a lease that was forced away guards no more, before its holder knows", async () => {
  const { server, store, lock } = stand();
  const lease = await lock.acquire("k");
  await new Lock(new Instance(memoryBackend({ server })), "orders").forceRelease("k", "test");
  await assert.rejects(store.save("k", 1, { lease }), { code: "FENCED" });
  assert.equal(await store.load("k"), undefined);
  await lease.release();
});

void it("a lease guards only in the instance that made it", async () => {
  const { server, store } = stand();
  const lease = await new Lock(new Instance(memoryBackend({ server })), "orders").acquire("k");
  await assert.rejects(store.save("k", 1, { lease }), { code: "INVALID_ARGUMENT" });
  await lease.release();
});

void it("a lease of a semaphore or of a reader cannot guard", async () => {
  const { store, lock } = stand();
  const permit = await lock.semaphore("gate", { permits: 2 }).acquire();
  const reader = await lock.readWrite("rates").read.acquire();
  for (const lease of [permit, reader]) {
    await assert.rejects(store.save("k", 1, { lease }), { code: "INVALID_ARGUMENT" });
    await lease.release();
  }
});

void it("across servers a lease that was handed on within the process is refused too", async () => {
  const { store, far } = stand();
  const first = await far.acquire("k");
  const waiting = far.acquire("k");
  await store.save("k", 1, { lease: first });
  await first.release();
  const second = await waiting;
  assert.ok(second.fence > first.fence);
  await store.save("k", 2, { lease: second });
  await assert.rejects(store.save("k", 3, { lease: first }), { code: "FENCED" });
  await second.release();
  const third = await far.acquire("k");
  assert.equal((await store.loadEntry("k", { lease: third }))?.value, 2);
  await third.release();
});

void it("what a run wrote through its transaction commits with its result", async () => {
  const { store, lock } = stand();
  const pay = async () =>
    lock.runOnce("payment", async ({ tx }) => {
      await tx.upsert(store, "k", (n) => (n ?? 0) + 1);
      return "receipt";
    });
  const runs = await Promise.all([pay(), pay(), pay()]);
  assert.deepEqual(
    runs.map(({ value }) => value),
    ["receipt", "receipt", "receipt"],
  );
  assert.equal(await store.load("k"), 1);
  const error = new Error("of the application");
  await assert.rejects(
    lock.runOnce("other", async ({ tx }) => {
      tx.save(store, "k", 9);
      throw error;
    }),
    error,
  );
  assert.equal(await store.load("k"), 1);
});

void it("a lease that cannot guard is refused also while the update waits for its turn, and nobody is left unheard", async () => {
  const { server, store } = stand();
  const foreign = await new Lock(new Instance(memoryBackend({ server })), "orders").acquire("k");
  await store.save("k", 1);
  let go: () => void = () => undefined;
  const first = store.update("k", async (n) => {
    await new Promise<void>((resolve) => (go = resolve));
    return n + 1;
  });
  const unheard: unknown[] = [];
  const hear = (error: unknown): void => void unheard.push(error);
  process.on("unhandledRejection", hear);
  const refused = assert.rejects(
    store.update("k", (n) => n + 1, { lease: foreign }),
    { code: "INVALID_ARGUMENT" },
  );
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off("unhandledRejection", hear);
  go();
  await Promise.all([first, refused]);
  assert.deepEqual([unheard, await store.load("k")], [[], 2]);
  await foreign.release();
});

void it("a group is never sent unguarded: the lease of another server must be on each entry that it writes", async () => {
  const { store, far } = stand();
  const lease = await far.acquire("k");
  const write = { value: 1, ttl: undefined };
  const group = (...keys: readonly string[]): Promise<void> =>
    sendGroup(
      keys.map((key) => ({ store: store as StateStore<unknown>, key, base: undefined, write })),
      lease,
    ).done;
  await assert.rejects(group("k", "l"), { code: "INVALID_ARGUMENT", key: "l" });
  assert.deepEqual([...(await store.loadMany(["k", "l"]))], []);
  await group("k");
  await lease.release();
  const later = await far.acquire("k");
  await store.loadEntry("k", { lease: later });
  await assert.rejects(group("k"), { code: "FENCED" });
  await later.release();
});
