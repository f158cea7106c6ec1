import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { Instance } from "../../src/client/index.ts";
import { Lock, type Lease } from "../../src/lock/index.ts";
import { misbehavingBackend } from "../../src/testing/misbehave.ts";
import { virtualTime, type VirtualTime } from "../../src/testing/virtual-time.ts";
import { limitedBackend } from "../support/limited.ts";

/** Processes on a store that tells nobody of grants, and how often each has asked for a lock. */
function processes(count: number): { readonly time: VirtualTime; readonly locks: Lock[]; readonly asks: number[] } {
  const time = virtualTime();
  const server = new MemoryServer({ time });
  const asks = Array.from({ length: count }, () => 0);
  const locks = asks.map((_, i) => {
    const backend = misbehavingBackend(limitedBackend(memoryBackend({ server })), {
      name: "count",
      group: async (group, next) => {
        if (group.ops[0]?.op === "acquire") asks[i] = (asks[i] as number) + 1;
        return next(group);
      },
    });
    return new Lock(new Instance(backend), "locks");
  });
  return { time, locks, asks };
}

describe("waiting for a lock where nobody is told of a grant", () => {
  it("finds a short hold's end soon, and of a long one within a fraction of it", async () => {
    for (const [holdMs, most] of [
      [20, 60],
      [1_000, 120],
      [10_000, 260],
      [25_000, 260],
    ] as const) {
      const { time, locks } = processes(2);
      const held = await (locks[0] as Lock).acquire("k", { ttl: "60s" });
      let at: number | undefined;
      const waiting = (locks[1] as Lock).acquire("k", { wait: "1h" }).then((lease) => {
        at = time.monotonic();
        return lease;
      });
      await time.advance(holdMs);
      await held.release();
      const released = time.monotonic();
      await time.advance(most);
      assert.ok(at !== undefined, `${holdMs} ms were held, and ${most} are over`);
      assert.ok(at >= released);
      await (await waiting).release();
    }
  });

  it("costs the store few requests while a lock is held long, the fewer the more are before one", async () => {
    const { time, locks, asks } = processes(20);
    const held = await (locks[0] as Lock).acquire("k", { ttl: "10m" });
    const waiting: Promise<Lease>[] = [];
    for (const lock of locks.slice(1)) {
      waiting.push(lock.acquire("k", { wait: "1h" }));
      await time.advance(1);
    }
    await time.advance(10_000);
    const before = [...asks];
    await time.advance(10_000);
    const [, next = 0, ...others] = asks.map((count, i) => count - (before[i] as number));
    assert.ok(next <= 10 * 6, `the next one asked ${next} times in ten seconds`);
    assert.ok((others.at(-1) ?? 0) < next / 2, "the last one asks less than half as often");
    // Its claim must not end meanwhile.
    assert.ok(
      others.every((count) => count >= 10),
      others.join(" "),
    );
    await held.release();
    for (const [i, one] of waiting.entries()) {
      const start = time.monotonic();
      let lease: Lease | undefined;
      void one.then((won) => (lease = won));
      while (!lease) await time.advance(5);
      assert.ok(time.monotonic() - start <= 260, `the ${i}th took ${time.monotonic() - start} ms`);
      await lease.release();
    }
  });

  it("is one contender of a process, which hands the lock on to its other waiters without asking", async () => {
    const { time, locks, asks } = processes(2);
    const held = await (locks[0] as Lock).acquire("k", { ttl: "60s" });
    let served = 0;
    const all = Array.from({ length: 50 }, async () => {
      const lease = await (locks[1] as Lock).acquire("k", { wait: "1h" });
      served++;
      await lease.release();
    });
    await time.advance(1_000);
    const before = asks[1] as number;
    assert.ok(before <= 40, `${before} requests of 50 waiters in a second`);
    await held.release();
    await time.advance(150);
    assert.equal(served, 50);
    assert.ok((asks[1] as number) - before <= 8, "one of them was granted the lock for all");
    await Promise.all(all);
  });

  it("shares requests among the locks that a process waits for", async () => {
    const { time, locks, asks } = processes(2);
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    const leases = await Promise.all(keys.map(async (key) => (locks[0] as Lock).acquire(key, { ttl: "60s" })));
    const moments = new Set<number>();
    const waiting = keys.map(async (key) => (locks[1] as Lock).acquire(key, { wait: "1h" }));
    await time.advance(5_000);
    for (let i = 0; i < 1_000; i++) {
      const before = asks[1];
      await time.advance(1);
      if (asks[1] !== before) moments.add(time.monotonic());
    }
    assert.ok(moments.size <= 45, `requests at ${moments.size} moments of a second`);
    for (const lease of leases) await lease.release();
    await time.advance(1_000);
    for (const lease of await Promise.all(waiting)) await lease.release();
  });
});
