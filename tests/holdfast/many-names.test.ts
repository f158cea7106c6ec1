import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect, type Cache } from "../../src/entries/index.ts";
import { LockHost } from "../../src/lock/host.ts";
import { Lock } from "../../src/lock/lock.ts";
import { QueueSpaces } from "../../src/lock/queues.ts";
import { Instance } from "../../src/client/index.ts";
import { memoryBackend } from "../../src/backends/memory/index.ts";
import { collectUntil } from "../support/collect.ts";

const many = 3_000;

function gone(made: readonly WeakRef<object>[]): number {
  return made.filter((one) => one.deref() === undefined).length;
}

describe("more names than a program has", () => {
  it("leave no objects behind, and mean the same data when they come again", async () => {
    const hf = await connect("memory:", { service: "many" });
    const made: WeakRef<object>[] = [];
    for (let i = 0; i < many; i++) {
      const [state, cache, lock] = [hf.state(`n ${i}`), hf.cache(`n ${i}`, { ttl: "5m" }), hf.lock(`n ${i}`)];
      made.push(new WeakRef(state), new WeakRef(cache), new WeakRef(lock));
      await state.save("k", i);
      await cache.set("k", i);
      await lock.run("k", () => i);
    }
    assert.ok(await collectUntil(() => gone(made) >= 3 * (many - 1_100)), `${gone(made)} are gone`);
    for (let i = 0; i < many; i += 100) {
      assert.equal(await hf.state(`n ${i}`).load("k"), i);
      assert.equal(await hf.cache(`n ${i}`).get("k"), i);
      await hf.cache<number>(`n ${i}`, { ttl: "5m" }).set("other", 1);
    }
    await hf.close();
  });

  it("keep a cache that is listened to", async () => {
    const hf = await connect("memory:", { service: "many" });
    const heard: string[] = [];
    const end = hf.cache("heard", { ttl: "5m" }).on("miss", ({ key }) => heard.push(key));
    const made: WeakRef<object>[] = [];
    for (let i = 0; i < many; i++) made.push(new WeakRef(hf.cache(`n ${i}`)));
    assert.ok(await collectUntil(() => gone(made) >= many - 1_100), `${gone(made)} are gone`);
    const cache: Cache = hf.cache("heard");
    await cache.get("k");
    assert.deepEqual(heard, ["k"]);
    end();
    end();
    await cache.get("k");
    assert.deepEqual(heard, ["k"]);
    await hf.close();
  });

  it("leave no queues of locks behind", async () => {
    const instance = new Instance(memoryBackend());
    const queues = QueueSpaces.of(LockHost.of(instance));
    const held = await new Lock(instance, "held").acquire("k", { ttl: "1h" });
    const first = new Lock(instance, "first");
    for (let i = 0; i < many; i++) await new Lock(instance, `n ${i}`).run("k", () => i);
    assert.ok(queues.size <= 130, `${queues.size} spaces`);
    // One whose space was forgotten meanwhile is the same lock as another by its name.
    const lease = await first.acquire("k");
    assert.equal(await new Lock(instance, "first").tryAcquire("k"), undefined);
    const waiting = new Lock(instance, "first").acquire("k");
    await lease.release();
    await (await waiting).release();
    assert.equal(await new Lock(instance, "held").tryAcquire("k"), undefined);
    assert.equal(await held.release(), "released");
    await instance.close(0);
  });
});
