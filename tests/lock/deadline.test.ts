import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { deferred } from "../../src/base/async.ts";
import type { Time } from "../../src/base/time.ts";
import { gripOf, Instance } from "../../src/client/index.ts";
import { Lock } from "../../src/lock/index.ts";
import { marginMs } from "../../src/lock/margin.ts";
import type { Session } from "../../src/port/index.ts";
import { virtualTime } from "../../src/testing/virtual-time.ts";
import { setUp } from "./hands.ts";

/** Stops the event loop, as a long computation does. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe("the local deadline of a lease", () => {
  it("is seen at once after the event loop was blocked, before any timer ran", async () => {
    const instance = new Instance(memoryBackend());
    const lease = await new Lock(instance, "locks").acquire("k", { ttl: 120 });
    const { signal } = lease;
    block(150);
    assert.equal(lease.remainingMs, 0);
    assert.throws(() => gripOf(lease).assertHeld(), { code: "FENCED" });
    assert.throws(() => lease.assertHeld(), { code: "LEASE_LOST", why: "expired" });
    assert.equal(signal.aborted, true, "whoever asks learns of it");
    assert.equal(await lease.release(), "lost");
    await instance.close(0);
  });

  it("goes by the wall clock where the monotonic one stood still", async () => {
    const clock = virtualTime();
    let slept = 0;
    const time: Time = {
      wall: () => clock.wall() + slept,
      monotonic: () => clock.monotonic(),
      after: (ms, fn) => clock.after(ms, fn),
    };
    const instance = new Instance(memoryBackend({ time }));
    const lease = await new Lock(instance, "locks").acquire("k", { ttl: "10s" });
    slept = 9_000;
    assert.ok(lease.remainingMs < 1_000);
    lease.assertHeld();
    slept = 20_000;
    assert.throws(() => lease.assertHeld(), { code: "LEASE_LOST", why: "expired" });
  });

  it("goes by the monotonic clock where the wall clock was set back", async () => {
    const clock = virtualTime();
    let setBack = 0;
    const time: Time = {
      wall: () => clock.wall() - setBack,
      monotonic: () => clock.monotonic(),
      after: (ms, fn) => clock.after(ms, fn),
    };
    const instance = new Instance(memoryBackend({ time }));
    const lease = await new Lock(instance, "locks").acquire("k", { ttl: "10s", renew: false });
    setBack = 3_600_000;
    await clock.advance("11s");
    assert.equal(lease.signal.aborted, true);
  });

  it("counts from before the request was sent, less a margin", async () => {
    const { time, lock } = setUp((own) => own, {
      answered: async () => new Promise<void>((resolve) => void time.after(2_000, resolve)),
    });
    const acquiring = lock.acquire("k", { ttl: 10_000, renew: false });
    await time.advance(2_000);
    const lease = await acquiring;
    assert.equal(lease.remainingMs, 8_000 - marginMs(10_000));
  });

  it("leaves a margin that suits the ttl", () => {
    assert.equal(marginMs(30_000), 320);
    assert.equal(marginMs(40), 10);
    for (const ttl of [1, 10, 100, 1_000, 3_600_000]) assert.ok(marginMs(ttl) <= ttl / 4);
  });

  it("renewals of many leases go out together", async () => {
    const time = virtualTime();
    const backend = memoryBackend({ server: new MemoryServer({ time }) });
    const calls: number[] = [];
    const instance = new Instance({
      name: backend.name,
      time,
      open: async () => backend.open(),
      close: async () => backend.close(),
      session(): Session {
        const session = backend.session();
        return {
          id: session.id,
          execute: async (groups, call) => {
            if (groups.some((group) => group.ops[0]?.op === "extend")) calls.push(groups.length);
            return session.execute(groups, call);
          },
          page: async (query, call) => session.page(query, call),
          close: async () => session.close(),
        };
      },
    });
    const lock = new Lock(instance, "locks");
    await Promise.all(Array.from({ length: 100 }, (_, i) => lock.acquire(`k${i}`, { ttl: "9s" })));
    await time.advance("4s");
    assert.deepEqual(calls, [100]);
  });
});

describe("a lease that was told of", () => {
  it("is not extended further than the next of its process is to hold it", async () => {
    const late = deferred<void>();
    let extensions = 0;
    const { lock, other, time } = setUp((own) => own, {
      asked: (ops) => void (extensions += ops.filter(({ op }) => op === "extend").length),
      answered: async () => {
        if (extensions === 1) await late.promise;
      },
    });
    const before = await other.acquire("k");
    const turns = [lock.acquire("k", { ttl: "60s" }), lock.acquire("k", { ttl: "60s", maxHold: "30s" })] as const;
    await time.advance(20);
    await before.release();
    const first = await turns[0];
    // It lasts for its claim at first, and is extended to its ttl right away.
    await time.advance(20);
    assert.equal(extensions, 1);
    assert.equal(await first.release(), "released");
    late.resolve();
    const next = await turns[1];
    assert.ok(((await other.inspect("k"))?.remainingMs ?? 0) <= 30_000, "it ends at its maxHold, in the store as well");
    next.assertHeld();
  });
});
