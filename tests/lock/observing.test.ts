import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";
import { Instance, type OperationMessage } from "../../src/client/index.ts";
import { Lock } from "../../src/lock/index.ts";
import { readInfo, writeInfo } from "../../src/lock/info.ts";
import { testBackend } from "../../src/testing/test-backend.ts";

describe("what locks tell of themselves", () => {
  it("publishes each call, with its outcome and no key", async () => {
    const messages: OperationMessage[] = [];
    const listener = (message: unknown): unknown => messages.push(message as OperationMessage);
    subscribe("holdfast:lock", listener);
    try {
      const lock = new Lock(new Instance(testBackend()), "orders", { service: "shop" });
      await lock.run("secret-key", async () => {
        await assert.rejects(lock.acquire("secret-key", { wait: 0 }));
      });
      assert.equal(await lock.tryAcquire("k").then((lease) => lease?.keys.length), 1);
    } finally {
      unsubscribe("holdfast:lock", listener);
    }
    const told = messages.map(({ operation, outcome, name, service }) => ({ operation, outcome, name, service }));
    assert.deepEqual(told, [
      { operation: "acquire", outcome: "LOCK_TIMEOUT", name: "orders", service: "shop" },
      { operation: "run", outcome: "ok", name: "orders", service: "shop" },
      { operation: "tryAcquire", outcome: "ok", name: "orders", service: "shop" },
    ]);
    assert.ok(!JSON.stringify(messages).includes("secret"));
  });

  it("tells of a lease that the store ended behind its holder's back", async () => {
    const backend = testBackend();
    const instance = new Instance(backend);
    const lost: unknown[] = [];
    instance.events.on("leaseLost", (event) => lost.push(event));
    const lease = await new Lock(instance, "locks").acquire("k", { ttl: "9s" });
    await backend.expire(lease);
    assert.equal(lease.signal.aborted, false);
    await backend.advance("4s");
    assert.equal(lease.signal.aborted, true);
    assert.equal(lost.length, 1);
  });

  it("acquires and releases over failures that the test kit makes", async () => {
    const backend = testBackend();
    const lock = new Lock(new Instance(backend), "locks");
    backend.failNext("acquire", "indeterminate-applied");
    const acquiring = lock.acquire("k");
    await backend.advance("1s");
    const lease = await acquiring;
    backend.failNext("release", "indeterminate");
    const releasing = lease.release();
    await backend.advance("1s");
    assert.equal(await releasing, "released");
    assert.equal(await lock.inspect("k"), undefined);
    backend.failNext("acquire", "unavailable");
    await assert.rejects(lock.acquire("k"), { code: "UNAVAILABLE" });
  });

  it("keeps label and hand-off in the store, and reads what it does not know as nothing", () => {
    assert.equal(writeInfo(0, {}), "0");
    for (const [n, about] of [
      [0, {}],
      [7, {}],
      [3, { label: 'a "label"' }],
      [4, { kind: "election" }],
      [5, { label: "l", kind: "read" }],
    ] as const) {
      const { n: read, label, kind } = readInfo(writeInfo(n, about));
      assert.deepEqual({ n: read, label, kind }, { n, label: undefined, kind: undefined, ...about });
    }
    for (const text of ["", "{", "[]", "null", "[0,1,2]", "-1", "1.5", "4096", '{"n":1}', '["x",1]']) {
      const { n, label, kind } = readInfo(text);
      assert.deepEqual([n, label, kind], [0, undefined, undefined], text);
    }
  });
});
