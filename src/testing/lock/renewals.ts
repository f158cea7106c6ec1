import assert from "node:assert/strict";
import type { Instance } from "../../client/index.ts";
import type { Group } from "../../port/index.ts";
import type { Case } from "../suite.ts";
import { benchCase, does, failing, lossOf, notSent, rejects, replyLost, valve } from "./bench.ts";

const renews = (group: Group): boolean => does(group, "extend");

/** The events of one name that an instance tells of. */
function heard<Name extends "leaseLost" | "renewalFailed" | "releaseFailed">(
  instance: Instance,
  name: Name,
): unknown[] {
  const events: unknown[] = [];
  instance.events.on(name, (event) => events.push(event));
  return events;
}

/** How a lease lasts, and how its holder learns that it does not. */
export const renewalCases: readonly Case[] = [
  benchCase("a lease outlives its ttl while it is held", "locks 6: renewal", async (bench) => {
    const [lock, other] = [bench.lock({ ttl: 5 * bench.unit }), bench.lock()];
    const lease = await lock.acquire("k");
    await bench.pass(7);
    lease.assertHeld();
    assert.equal(await other.tryAcquire("k"), undefined);
    assert.equal(await lease.release(), "released");
  }),

  benchCase("without renewal it ends, by the local clock and without I/O", "locks 5: local deadline", async (bench) => {
    const instance = bench.instance();
    const events = heard(instance, "leaseLost");
    const lock = bench.lockOf(instance);
    const lease = await lock.acquire("k", { ttl: 2 * bench.unit, renew: false });
    const { signal } = lease;
    assert.ok(lease.remainingMs < 2 * bench.unit, "less a margin");
    await bench.pass(2.25);
    assert.equal(signal.aborted, true);
    assert.equal(lossOf(lease), "expired");
    assert.equal(lease.remainingMs, 0);
    assert.throws(() => lease.assertHeld(), { code: "LEASE_LOST", why: "expired" });
    await rejects(lease.extend(), "LEASE_LOST");
    assert.equal(await lease.release(), "lost");
    assert.deepEqual(events, [{ lock: "locks", keys: ["k"], owner: lease.owner, why: "expired" }]);
  }),

  benchCase(
    "a normal release does not abort the signal, and is the same however often",
    "locks 5: release",
    async (bench) => {
      const lease = await bench.lock().acquire("k");
      const { signal } = lease;
      assert.deepEqual(await Promise.all([lease.release(), lease.release()]), ["released", "released"]);
      await lease[Symbol.asyncDispose]();
      assert.equal(signal.aborted, false);
      assert.throws(() => lease.assertHeld(), { code: "FENCED" });
      assert.equal(await lease.release(), "released");
    },
  ),

  benchCase(
    "a renewal that is never answered: the signal aborts at the local deadline",
    "locks 5: local deadline",
    async (bench) => {
      const gate = valve("renewals vanish", renews);
      const lock = bench.lock({ ttl: 3 * bench.unit }, gate.fault);
      const lease = await lock.acquire("k");
      const { signal } = lease;
      await bench.pass(2);
      await gate.held;
      assert.equal(signal.aborted, false);
      await bench.pass(1.25);
      assert.equal(lossOf(lease), "expired");
      gate.free();
      // The late extension must not leave a lock that nobody holds.
      const next = await bench.settle(bench.lock().acquire("k"), 3);
      next.assertHeld();
    },
  ),

  benchCase(
    "a renewal that took effect and was never answered leaves no lock that nobody holds",
    "locks 7: no ghost",
    async (bench) => {
      const gate = valve("replies to renewals vanish", renews, "reply");
      const lock = bench.lock({ ttl: 6 * bench.unit }, gate.fault);
      const lease = await lock.acquire("k");
      const { signal } = lease;
      await bench.until("it is lost", () => signal.aborted, 7);
      gate.free();
      await bench.settle(bench.lock().acquire("k"), 1.25);
    },
  ),

  benchCase(
    "renewals that fail are told, retried while the lease lives, and no unhandled rejection",
    "locks 6: renewal",
    async (bench) => {
      const instance = bench.instance(failing(renews, notSent, { times: 2 }));
      const failed = heard(instance, "renewalFailed");
      const lost = heard(instance, "leaseLost");
      const lease = await bench.lockOf(instance).acquire("k", { ttl: 4 * bench.unit });
      await bench.pass(8);
      lease.assertHeld();
      assert.equal(failed.length, 2);
      assert.equal(lost.length, 0);
    },
  ),

  benchCase("a renewal whose reply was lost is made again", "locks 6: renewal", async (bench) => {
    const lock = bench.lock({ ttl: 3 * bench.unit }, failing(renews, replyLost, { runs: true }));
    const lease = await lock.acquire("k");
    await bench.pass(6);
    lease.assertHeld();
    assert.equal(await lease.release(), "released");
  }),

  benchCase("renewal stops at maxHold", "locks 6: maxHold", async (bench) => {
    const [lock, other] = [bench.lock({ ttl: 2 * bench.unit }), bench.lock()];
    const lease = await lock.acquire("k", { maxHold: 5 * bench.unit });
    const { signal } = lease;
    await bench.pass(4);
    assert.equal(signal.aborted, false);
    const next = await bench.settle(other.acquire("k"), 4);
    assert.equal(lossOf(lease), "maxHold");
    next.assertHeld();
  }),

  benchCase("maxHold below the ttl ends the lease as well", "locks 6: maxHold", async (bench) => {
    const lock = bench.lock({ ttl: 20 * bench.unit });
    const first = await lock.acquire("k");
    const next = lock.acquire("k", { maxHold: 2 * bench.unit });
    await first.release();
    const lease = await bench.settle(next);
    await bench.pass(2.25);
    assert.equal(lossOf(lease), "maxHold");
    await bench.settle(bench.lock().acquire("k"), 3);
  }),

  benchCase("a released lease is never armed again", "locks 6: renewal", async (bench) => {
    const gate = valve("renewals are slow", renews);
    const lock = bench.lock({ ttl: 3 * bench.unit }, gate.fault);
    const lease = await lock.acquire("k");
    await bench.pass(1.5);
    await gate.held;
    const releasing = lease.release();
    gate.free();
    assert.equal(await bench.settle(releasing), "released");
    await bench.pass(2);
    assert.deepEqual(await bench.state("k"), { holders: [], waiting: 0 });
  }),

  benchCase("run settles as its function does, also when the lease was lost", "locks 6: run", async (bench) => {
    const instance = bench.instance();
    const lost = heard(instance, "leaseLost");
    const lock = bench.lockOf(instance);
    const value = await lock.run(
      "k",
      async (lease) => {
        await bench.pass(2);
        assert.equal(lease.signal.aborted, true);
        return "done";
      },
      { ttl: bench.unit, renew: false },
    );
    assert.equal(value, "done");
    assert.equal(lost.length, 1);
    const own = new Error("the function's own");
    await assert.rejects(
      lock.run("k", () => Promise.reject(own)),
      own,
    );
    assert.equal((await bench.state("k")).holders.length, 0);
  }),

  benchCase("extend arms a given ttl, also for later renewals", "locks 5: extend", async (bench) => {
    const lock = bench.lock({ ttl: 4 * bench.unit });
    const lease = await lock.acquire("k");
    await lease.extend(16 * bench.unit);
    assert.ok(lease.remainingMs > 12 * bench.unit);
    await lease.extend(4 * bench.unit);
    assert.ok(lease.remainingMs < 4 * bench.unit);
    await bench.pass(7);
    lease.assertHeld();
    await assert.rejects(lease.extend("soon"), { code: "INVALID_ARGUMENT" });
  }),

  benchCase(
    "an extension to less that may have taken effect counts at once",
    "locks 5: local deadline",
    async (bench) => {
      const lock = bench.lock({}, failing(renews, replyLost, { runs: true }));
      const lease = await lock.acquire("k", { ttl: 20 * bench.unit, renew: false });
      await rejects(bench.settle(lease.extend(4 * bench.unit)), "INDETERMINATE");
      assert.ok(lease.remainingMs < 4 * bench.unit);
      await bench.until("it is lost in time", () => lossOf(lease) === "expired", 6);
    },
  ),

  benchCase("a release whose reply was lost is made again", "locks 7: replay-safe", async (bench) => {
    for (const runs of [true, false]) {
      const lock = bench.lock(
        {},
        failing((group) => does(group, "release"), replyLost, { runs }),
      );
      const lease = await lock.acquire(`k ${runs}`);
      assert.equal(await bench.settle(lease.release()), "released");
      assert.equal((await bench.state(`k ${runs}`)).holders.length, 0);
    }
  }),

  benchCase("a release that the store never answers is unknown, and told", "locks 6: release", async (bench) => {
    const instance = bench.instance(failing((group) => does(group, "release"), notSent, { times: 1_000 }));
    const failed = heard(instance, "releaseFailed");
    const lock = await bench.ready(bench.lockOf(instance, { timeout: 2 * bench.unit }));
    const lease = await lock.acquire("k", { ttl: 4 * bench.unit });
    assert.equal(await bench.settle(lease.release()), "unknown");
    assert.equal(failed.length, 1);
    await bench.settle(bench.lock().acquire("k"), 6);
  }),
];
