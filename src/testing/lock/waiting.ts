import assert from "node:assert/strict";
import { drawId } from "../../base/ids.ts";
import type { Group, Operation, Signal } from "../../port/index.ts";
import type { Lock } from "../../lock/index.ts";
import type { Fault } from "../misbehave.ts";
import type { Case } from "../suite.ts";
import { benchCase, does, failing, notSent, pushes, rejects, valve, type Bench } from "./bench.ts";
import { undisturbed } from "./undisturbed.ts";

const acquires = (group: Group): boolean => does(group, "acquire");

/** Lets claims and marks of the case's waiters run out: 2 s, whatever the unit. */
async function claimsEnd(bench: Bench): Promise<void> {
  await bench.context.place.elapse(2_500);
}

/** How a lock is waited for, and what becomes of those who do not wait any more. */
export const waitingCases: readonly Case[] = [
  benchCase("wait 0 tries once", "locks 7: wait 0", async (bench) => {
    const [a, b] = [bench.lock(), bench.lock()];
    const lease = await a.acquire("k", { label: "holder" });
    const error = await rejects(b.acquire("k", { wait: 0 }), "LOCK_TIMEOUT");
    assert.equal((error as unknown as { holder: { label: string } }).holder.label, "holder");
    assert.equal(await b.tryAcquire("k"), undefined);
    const tried = await b.tryRun("k", () => assert.fail("it must not run"));
    assert.equal(tried.ran, false);
    assert.equal(tried.ran ? undefined : tried.holder?.owner, lease.owner);
    assert.equal((await bench.state("k")).waiting, 0);
    await lease.release();
    assert.deepEqual(await b.tryRun("k", () => 7), { ran: true, value: 7 });
  }),

  benchCase(
    "of many tries of one instance one gets the lock, the others do not wait",
    "locks 7: wait 0",
    async (bench) => {
      // No store in this process: all of them are there before the first is answered.
      const lock = bench.lock({ ttl: 60_000 }, { name: "answers later" });
      const tries = await bench.settle(Promise.all([1, 2, 3].map(() => lock.tryAcquire("k"))), 8);
      assert.deepEqual(
        tries.map((lease) => lease !== undefined),
        [true, false, false],
      );
    },
  ),

  benchCase("a wait ends in time, and leaves nothing in the queue", "locks 7: waiting", async (bench) => {
    const [a, b] = [bench.lock({ ttl: 40 * bench.unit }), bench.lock()];
    await a.acquire("k");
    const waiting = b.acquire("k", { wait: 2 * bench.unit });
    waiting.catch(() => undefined);
    await bench.waiting("k", 1);
    await rejects(bench.settle(waiting, 4), "LOCK_TIMEOUT");
    await bench.nobodyWaits("k");
  }),

  benchCase(
    "waiters of several instances are served in their order",
    "locks 7: first come, first served",
    async (bench) => {
      const [lock, ...locks] = Array.from({ length: 5 }, () =>
        bench.lock({ ttl: 40 * bench.unit, wait: 400 * bench.unit }),
      ) as [Lock, ...Lock[]];
      await Promise.all(locks.map(async (one) => bench.ready(one)));
      await undisturbed(async (key) => {
        const holder = await lock.acquire(key);
        const order: number[] = [];
        const runs: Promise<unknown>[] = [];
        for (const [i, one] of locks.entries()) {
          runs.push(one.run(key, () => order.push(i)));
          await bench.waiting(key, i + 1);
        }
        await holder.release();
        await bench.settle(Promise.all(runs), 100);
        assert.deepEqual(order, [0, 1, 2, 3]);
      });
    },
  ),

  benchCase(
    "an abort ends the wait with its reason, and leaves no ghost",
    "locks 7: a cancelled waiter",
    async (bench) => {
      const [a, b] = [bench.lock({ ttl: 40 * bench.unit }), bench.lock()];
      const lease = await a.acquire("k");
      const abort = new AbortController();
      const reason = new Error("not any more");
      const waiting = b.acquire("k", { signal: abort.signal });
      waiting.catch(() => undefined);
      await bench.waiting("k", 1);
      abort.abort(reason);
      await assert.rejects(waiting, reason);
      await bench.nobodyWaits("k");
      await assert.rejects(b.acquire("k", { signal: abort.signal }), reason);
      await lease.release();
      assert.equal((await bench.state("k")).holders.length, 0);
    },
  ),

  benchCase(
    "one that is granted although it was cancelled is released at once",
    "locks 7: a cancelled waiter",
    async (bench) => {
      const gate = valve("replies are late", acquires, "reply");
      const lock = bench.lock({}, gate.fault);
      const abort = new AbortController();
      const waiting = lock.acquire("k", { signal: abort.signal });
      waiting.catch(() => undefined);
      await gate.held;
      abort.abort(new Error("not any more"));
      await assert.rejects(waiting, abort.signal.reason as Error);
      assert.equal((await bench.state("k")).holders.length, 1);
      gate.free();
      await bench.settle(bench.lock().acquire("k"), 2);
    },
  ),

  benchCase("a dead waiter costs at most one short claim", "locks 7: a dead waiter", async (bench) => {
    const lease = await bench.lock({ ttl: 40 * bench.unit }).acquire("k");
    // It never confirms what it is granted.
    const dead: Operation = {
      op: "acquire",
      lock: bench.key("k"),
      owner: drawId(),
      mode: "exclusive",
      ttl: 40 * bench.unit,
      wait: { claimMs: 2_000 },
      info: "0",
    };
    await bench.behind([dead]);
    const waiting = bench.lock({ ttl: 40 * bench.unit, wait: 400 * bench.unit }).acquire("k");
    waiting.catch(() => undefined); // it is awaited below, unless the case fails before
    await bench.waiting("k", 2);
    await lease.release();
    const waited = bench.settle(waiting, 4_000 / bench.unit);
    (await waited).assertHeld();
  }),

  benchCase("live waiters keep their place for longer than a claim", "locks 7: live ones refresh", async (bench) => {
    const lock = bench.lock({ wait: 60_000 });
    const lease = await bench.lock({ ttl: 60_000 }).acquire("k");
    const waiting = lock.acquire("k");
    await bench.waiting("k", 1);
    await claimsEnd(bench);
    assert.equal((await bench.state("k")).waiting, 1);
    await lease.release();
    await bench.settle(waiting);
  }),

  benchCase("waiters of many keys refresh in few calls", "locks 7: one batched call per process", async (bench) => {
    let calls = 0;
    let refreshes = 0;
    const fault: Fault = {
      name: "counts",
      group: async (group, next) => {
        if (acquires(group)) refreshes++;
        return next(group);
      },
      outcomes: (outcomes) => {
        if (refreshes > 0) calls++;
        return outcomes;
      },
    };
    const holder = bench.lock({ ttl: 60_000 });
    const lock = bench.lock({ wait: 60_000 }, fault);
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => holder.acquire(key)));
    const waiting = keys.map((key) => lock.acquire(key));
    for (const one of waiting) one.catch(() => undefined);
    await bench.waiting("k39", 1);
    await bench.calm();
    calls = refreshes = 0;
    await claimsEnd(bench);
    assert.ok(refreshes >= keys.length, `${refreshes} refreshes`);
    assert.ok(calls * 5 <= refreshes, `${calls} calls for ${refreshes} refreshes`);
  }),

  benchCase("a waiter gets on although it is told of no grant", "locks 7: wake-ups may be lost", async (bench) => {
    const deaf: Fault = { name: "deaf", tells: (signal: Signal) => signal.type !== "granted" };
    const lease = await bench.lock({ ttl: 60_000 }).acquire("k");
    const waiting = bench.lock({ wait: 60_000, ttl: 60_000 }, deaf).acquire("k");
    await bench.waiting("k", 1);
    await lease.release();
    (await bench.settle(waiting, 4_000 / bench.unit)).assertHeld();
  }),

  benchCase(
    "a waiter is woken, and need not ask",
    "locks 7: wake-up",
    async (bench) => {
      const [lock, other] = [bench.lock({ ttl: 60_000 }), bench.lock({ wait: 60_000, ttl: 60_000 })];
      const { time } = bench.context.place.backend();
      const took: number[] = [];
      // A busy machine may hold up two of three.
      for (let i = 0; i < 3; i++) {
        const lease = await bench.settle(lock.acquire(`k${i}`));
        const waiting = other.acquire(`k${i}`);
        const woken = waiting.then(() => time.monotonic());
        await bench.waiting(`k${i}`, 1);
        // It asks again by itself at each whole second: soon after one it is far from the next.
        await bench.context.place.elapse(1_200 - (time.monotonic() % 1_000));
        await lease.release();
        const released = time.monotonic();
        took.push((await bench.settle(woken, 4_000 / bench.unit)) - released);
      }
      assert.ok(Math.min(...took) < 700, `well before the next refresh: ${took.join()} ms`);
    },
    pushes,
  ),

  benchCase("a store that is away is an error, at once", "every call 2: nothing happened", async (bench) => {
    const lock = bench.lock({}, failing(acquires, notSent, { times: 2 }));
    await rejects(lock.acquire("k"), "UNAVAILABLE");
    await rejects(lock.tryAcquire("k"), "UNAVAILABLE");
    (await lock.acquire("k")).assertHeld();
  }),

  benchCase("a waiter outlasts a store that is away for a moment", "locks 7: waiting", async (bench) => {
    let down = false;
    const fault: Fault = { name: "away", group: async (group, next) => (down ? notSent : next(group)) };
    const holder = bench.lock({ ttl: 60_000 });
    const lease = await holder.acquire("k");
    const waiting = bench.lock({ wait: 60_000 }, fault).acquire("k");
    await bench.waiting("k", 1);
    down = true;
    await bench.context.place.elapse(1_500);
    down = false;
    await lease.release();
    await bench.settle(waiting, 4_000 / bench.unit);
  }),
];
