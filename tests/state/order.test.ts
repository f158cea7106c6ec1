import assert from "node:assert/strict";
import { it } from "node:test";
import { memoryBackend } from "../../src/backends/memory/index.ts";
import { Instance } from "../../src/client/index.ts";
import { StateStore, transact, type StandardSchema } from "../../src/state/index.ts";

void it("calls on a key keep their order, however much later they come than those that wait for the backend to open", async () => {
  for (let hops = 0; hops < 40; hops++) {
    const store = new StateStore<number>(new Instance(memoryBackend()), "orders");
    const first = store.save("k", 1);
    for (let i = 0; i < hops; i++) await Promise.resolve();
    await Promise.all([first, store.save("k", 2)]);
    assert.equal(await store.load("k"), 2, `after ${hops} promises`);
  }
});

/** A schema whose checks are over when the test says so. */
function slowSchema() {
  const checks: (() => void)[] = [];
  const schema: StandardSchema<number> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: async (value) => {
        await new Promise<void>((resolve) => checks.push(resolve));
        return { value: value as number };
      },
    },
  };
  return { schema, checks };
}

void it("a call that waits for a schema ends by its signal", async () => {
  const instance = new Instance(memoryBackend());
  const plain = new StateStore<number>(instance, "orders");
  await plain.save("k", 1);
  const { schema } = slowSchema();
  const store = new StateStore<number>(instance, "orders", { schema });
  const calls: ((options: { signal: AbortSignal }) => Promise<unknown>)[] = [
    async (options) => store.load("k", options),
    async (options) => store.loadEntry("k", options),
    async (options) => store.loadMany(["k"], options),
    async (options) => store.save("k", 2, options),
    async (options) => store.saveMany([["k", 2]], options),
    async (options) => store.update("k", () => 2, options),
    async (options) => store.upsert("l", () => 2, options),
    async (options) => store.listPage(options),
    async (options) => transact(instance, async (tx) => tx.save(store, "k", 2), options),
  ];
  for (const [i, call] of calls.entries()) {
    const controller = new AbortController();
    const ended = assert.rejects(call({ signal: controller.signal }), { message: `enough ${i}` });
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error(`enough ${i}`));
    await ended;
  }
  assert.equal(await plain.load("k"), 1);
});

void it("what a transaction is told after its last call was over is refused, not lost", async () => {
  const instance = new Instance(memoryBackend());
  const store = new StateStore<number>(instance, "orders");
  const slow = new StateStore<number>(instance, "orders", { schema: slowSchema().schema });
  for (let hops = 1; hops < 20; hops++) {
    let told: "refused" | "taken" | undefined;
    const done = await transact(
      instance,
      async (tx) => {
        void (async () => {
          for (let i = 0; i < hops; i++) await Promise.resolve();
          try {
            tx.save(slow, "k", hops);
            told = "taken";
          } catch {
            told = "refused";
          }
        })();
        tx.save(store, "l", hops);
      },
      { signal: AbortSignal.timeout(50) },
    ).then(
      () => "done",
      () => "failed",
    );
    while (!told) await Promise.resolve();
    assert.equal(done, told === "refused" ? "done" : "failed", `after ${hops} promises`);
  }
});

void it("keys and entries that are none are refused as such", async () => {
  const store = new StateStore<number>(new Instance(memoryBackend()), "orders");
  const bad = { code: "INVALID_ARGUMENT" };
  for (const keys of ["42", undefined, null, 42, {}]) {
    await assert.rejects(store.loadMany(keys as never), bad);
    await assert.rejects(store.loadEntries(keys as never), bad);
    await assert.rejects(store.saveMany(keys as never), bad);
    await assert.rejects(store.saveMany([keys] as never), bad);
  }
});
