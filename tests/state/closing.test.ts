import assert from "node:assert/strict";
import { it } from "node:test";
import { deferred } from "../../src/base/async.ts";
import { transact } from "../../src/state/index.ts";
import { Changes } from "../../src/testing/state/client.ts";
import { FaultyLine, settled } from "./support.ts";

const closed = { code: "UNAVAILABLE" };

function stand() {
  const line = new FaultyLine();
  const instance = line.instance();
  return { line, instance, store: line.store<number>({}, instance), near: line.near<number>() };
}

void it("updates that wait for their turn when an instance closes are made before it is closed", async () => {
  const { instance, store, near } = stand();
  await store.save("k", 0);
  const gate = deferred<void>();
  const updates = Array.from({ length: 50 }, async () =>
    store.update("k", async (n) => {
      await gate.promise;
      return n + 1;
    }),
  );
  await settled();
  const closing = instance.close(60_000);
  gate.resolve();
  await Promise.all([...updates, closing]);
  assert.equal(await near.load("k"), 50);
});

void it("no function starts once an instance has ended those that ran", async () => {
  const { instance, store, near, line } = stand();
  await store.save("k", 0);
  let runs = 0;
  const hang = async (): Promise<never> => {
    runs++;
    return new Promise<never>(() => undefined);
  };
  const updates = Array.from({ length: 5 }, () => assert.rejects(store.update("k", hang), closed));
  const transaction = assert.rejects(
    transact(instance, async (tx) => {
      await tx.load(store, "k");
      return hang();
    }),
    closed,
  );
  await settled();
  assert.equal(runs, 2);
  // What the transaction has read changes, so that it would run again.
  await near.save("k", 1);
  const closing = instance.close(100);
  await line.time.advance(100);
  await Promise.all([...updates, transaction, closing]);
  assert.deepEqual([runs, await near.load("k")], [2, 1]);
});

void it("a watch that becomes live while its instance ends is ended", async () => {
  const { instance, store } = stand();
  const { signals } = instance.session;
  assert.ok(signals);
  const gate = deferred<void>();
  const subscribe = signals.subscribe.bind(signals);
  Object.assign(signals, {
    subscribe: async (...args: Parameters<typeof subscribe>) => {
      await gate.promise;
      return subscribe(...args);
    },
  });
  const starting = Changes.of(store);
  instance.register({ end: async () => gate.resolve() });
  await settled();
  await instance.close(0);
  assert.equal(await (await starting).next(), undefined);
});
