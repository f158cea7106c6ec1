import assert from "node:assert/strict";
import type { Group } from "../../port/index.ts";
import type { Fault } from "../misbehave.ts";
import type { Case } from "../suite.ts";
import { benchCase, does, failing, rejects, replyLost, valve } from "./bench.ts";

const extensions = (group: Group): boolean => does(group, "extend");

/** Loses the first group that `keeps` names, and keeps it: a network may bring it late. */
function keepsForLater(keeps: (group: Group) => boolean, onKept?: () => void) {
  const late: Group[] = [];
  const fault: Fault = {
    name: "keeps the first for later",
    async group(group, next) {
      if (late.length > 0 || !keeps(group)) return next(group);
      late.push(group);
      onKept?.();
      return replyLost;
    },
  };
  return { fault, ops: () => (late[0] as Group).ops };
}

/** Extensions whose reply is lost or late, and what else lengthens a lease. */
export const extensionCases: readonly Case[] = [
  benchCase(
    "an extension whose reply was lost gives the next holder a new grant",
    "locks 4: an indeterminate operation",
    async (bench) => {
      const ttl = 24 * bench.unit;
      // By its ttl: a lease that begins under a claim is renewed after a moment, and that one may be first.
      const asked = (group: Group): boolean => group.ops.some((op) => op.op === "extend" && op.ttl === ttl);
      const lock = bench.lock({ ttl: 20 * bench.unit }, failing(asked, replyLost));
      // Only those who wait when the store grants the lock are handed it on here.
      const before = await lock.acquire("k");
      const [turn, waiting] = [lock.acquire("k"), lock.acquire("k")];
      await before.release();
      const first = await bench.settle(turn);
      await rejects(bench.settle(first.extend(ttl)), "INDETERMINATE");
      assert.equal(await bench.settle(first.release()), "released");
      const next = await bench.settle(waiting);
      assert.ok(next.fence >> 10n > first.fence >> 10n, "a late copy of it is not for the next holder");
    },
  ),

  benchCase(
    "a late copy of an extension shortens no lease that is thought to be held",
    "locks 5: local deadline",
    async (bench) => {
      const kept = keepsForLater(extensions);
      const lease = await bench.lock({ ttl: 20 * bench.unit, renew: false }, kept.fault).acquire("k");
      await rejects(bench.settle(lease.extend(2 * bench.unit)), "INDETERMINATE");
      await bench.settle(lease.extend(40 * bench.unit));
      await bench.behind(kept.ops());
      await bench.pass(2.5);
      const other = await bench.lock().tryAcquire("k");
      assert.ok(other, "the store has ended it");
      assert.throws(() => lease.assertHeld(), { code: "LEASE_LOST" });
    },
  ),

  benchCase(
    "a late copy of an acquire shortens no lease of those who waited behind it",
    "locks 5: local deadline",
    async (bench) => {
      const gone = new AbortController();
      const kept = keepsForLater(
        (group) => does(group, "acquire"),
        () => gone.abort(new Error("not any more")),
      );
      const lock = bench.lock({ renew: false }, kept.fault);
      const first = lock.acquire("k", { ttl: 2 * bench.unit, signal: gone.signal });
      first.catch(() => undefined);
      const lease = await bench.settle(lock.acquire("k", { ttl: 60 * bench.unit }));
      await assert.rejects(first, gone.signal.reason as Error);
      await bench.behind(kept.ops());
      await bench.pass(2.5);
      assert.equal(await bench.lock().tryAcquire("k"), undefined);
      lease.assertHeld();
    },
  ),

  benchCase("a release waits for an extension of the lease", "locks 4: release", async (bench) => {
    const gate = valve("the reply is late", extensions, "reply");
    const lease = await bench.lock({ ttl: 20 * bench.unit }, gate.fault).acquire("k");
    const extending = lease.extend();
    await gate.held;
    const releasing = lease.release();
    gate.free();
    await bench.settle(extending);
    assert.equal(await bench.settle(releasing), "released");
    assert.equal((await bench.state("k")).holders.length, 0);
  }),
];
