import assert from "node:assert/strict";
import type { AcquireOptions, Lease, Lock } from "../../lock/index.ts";
import { gripOf } from "../../client/index.ts";
import type { Case } from "../suite.ts";
import { type Bench, benchCase, does, failing, guards, lossOf, notSent, valve } from "./bench.ts";
import { undisturbed } from "./undisturbed.ts";

function grantOf(lease: Lease): bigint {
  return lease.fence >> 10n;
}

/** How long a turn lasts, in units: well within the second that a grant is handed on for. */
const turn = 3 / 8;

/** Two turns of one instance under one grant: the first is held, the second waits for it. */
async function twoTurns(
  bench: Bench,
  lock: Lock,
  key: string,
  first: AcquireOptions,
  second: AcquireOptions,
): Promise<{ readonly first: Lease; readonly second: Promise<Lease> }> {
  // Only those who wait when the store grants the lock are handed it on here.
  const before = await lock.acquire(key);
  const turns = [lock.acquire(key, first), lock.acquire(key, second)] as const;
  await before.release();
  return { first: await bench.settle(turns[0]), second: turns[1] };
}

/** Turns within one instance, behind one contender. */
export const handingOverCases: readonly Case[] = [
  benchCase(
    "waiters of one instance are served in their order, under one grant",
    "locks 4: local hand-off",
    async (bench) => {
      const lock = bench.lock();
      await undisturbed(async (key) => {
        const first = await lock.acquire(key);
        const order: number[] = [];
        const leases: Lease[] = [];
        const runs = Array.from({ length: 10 }, (_, i) =>
          lock.run(key, (lease) => {
            order.push(i);
            leases.push(lease);
          }),
        );
        await first.release();
        await bench.settle(Promise.all(runs));
        assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert.equal(new Set(leases.map(grantOf)).size, 1, "one grant");
        assert.equal(new Set(leases.map((lease) => lease.owner.split("/")[0])).size, 1, "one contender");
        assert.deepEqual(
          leases.map((lease) => Number(lease.fence & 1023n)),
          order,
        );
      });
    },
  ),

  benchCase(
    "another instance that waits gets its turn although this one never rests",
    "locks 4: fair",
    async (bench) => {
      const [busy, other] = [
        bench.lock({ ttl: 40 * bench.unit }),
        bench.lock({ ttl: 40 * bench.unit, wait: 400 * bench.unit }),
      ];
      let stop = false;
      let turns = 0;
      const workers = Array.from({ length: 4 }, async () => {
        while (!stop && turns < 20_000) {
          await busy.run("k", async () => {
            turns++;
            if (turns % 64 === 0) await bench.calm();
          });
        }
      });
      await bench.settle(
        other.run("k", () => undefined),
        400,
      );
      stop = true;
      await bench.settle(Promise.all(workers), 400);
      assert.ok(turns < 20_000, "it did not have to wait for the end");
    },
  ),

  benchCase("a batch of turns is bounded in time", "locks 4: bounded", async (bench) => {
    const lock = bench.lock({ ttl: 60_000 });
    const { first, second } = await twoTurns(bench, lock, "k", {}, {});
    await bench.context.place.elapse(1_250);
    await first.release();
    assert.ok(grantOf(await bench.settle(second)) > grantOf(first), "others had their chance");
  }),

  benchCase(
    "a release waits for the operations that name the lease",
    "locks 4: release",
    async (bench) => {
      const lock = bench.lock();
      const lease = await lock.acquire("k");
      const settled = gripOf(lease).begin();
      let released = false;
      const releasing = lease.release().then((result) => ((released = true), result));
      await bench.calm();
      assert.equal(released, false);
      assert.equal((await bench.state("k")).holders.length, 1);
      assert.throws(() => gripOf(lease).assertHeld(), "it is departing");
      settled(false);
      assert.equal(await bench.settle(releasing), "released");
      assert.equal((await bench.state("k")).holders.length, 0);
    },
    guards,
  ),

  benchCase(
    "a release does not wait for ever",
    "locks 4: release",
    async (bench) => {
      const lock = await bench.ready(bench.lock({ ttl: 40 * bench.unit, timeout: 2 * bench.unit }));
      const lease = await lock.acquire("k");
      gripOf(lease).begin();
      assert.equal(await bench.settle(lease.release(), 20), "released");
    },
    guards,
  ),

  benchCase(
    "after an operation of unknown fate the next holder has a new grant",
    "locks 4: indeterminate",
    async (bench) => {
      const lock = bench.lock();
      const { first: lease, second: next } = await twoTurns(bench, lock, "k", {}, {});
      gripOf(lease).begin()(true);
      assert.equal(await bench.settle(lease.release()), "released");
      assert.ok(grantOf(await bench.settle(next)) > grantOf(lease));
    },
    guards,
  ),

  benchCase("a force voids the grant, not the queue", "locks 4: a loss or force", async (bench) => {
    const lock = bench.lock({ wait: 400 * bench.unit });
    const lease = await lock.acquire("k");
    const waiters = [1, 2, 3].map((i) => lock.run("k", (next) => ({ i, grant: grantOf(next) })));
    const before = await lock.forceRelease("k", "it hangs");
    assert.equal(before?.owner, lease.owner);
    assert.equal(lossOf(lease), "forced");
    const served = await bench.settle(Promise.all(waiters), 100);
    for (const { grant } of served) assert.ok(grant > grantOf(lease));
    assert.equal(await lease.release(), "lost");
  }),

  benchCase(
    "without renewal, or with too little left, the successor's ttl is armed first",
    "locks 4: extends first",
    async (bench) => {
      const instance = bench.instance();
      const lock = bench.lockOf(instance);
      const endOf = (left: { readonly remainingMs: number } | undefined): number =>
        instance.time.monotonic() + (left?.remainingMs ?? 0);
      for (const renew of [false, true]) {
        await undisturbed(async (one) => {
          const key = `${one} ${renew}`;
          // Too little is left for one that asks for much more.
          const ttl = (renew ? 24 : 8) * bench.unit;
          const { first, second } = await twoTurns(
            bench,
            lock,
            key,
            { ttl: 8 * bench.unit, renew: false },
            { ttl, renew },
          );
          const end = endOf(first);
          await bench.pass(turn);
          await first.release();
          const lease = await bench.settle(second);
          const least = end + (turn / 2) * bench.unit;
          assert.ok(endOf(lease) > least, `${lease.remainingMs} ms are left`);
          assert.equal(grantOf(lease), grantOf(first));
          const [holder] = (await bench.state(key)).holders;
          assert.ok(endOf(holder) > least, "at the store as well");
        });
      }
    },
  ),

  benchCase(
    "with enough left the hand-off is immediate, and an extension follows",
    "locks 4: immediate",
    async (bench) => {
      const gate = valve("extensions hang", (group) => does(group, "extend") || (group.guards?.length ?? 0) > 0);
      const instance = bench.instance(gate.fault);
      const lock = bench.lockOf(instance);
      const endOf = (lease: Lease): number => instance.time.monotonic() + lease.remainingMs;
      // More than a sixteenth of it is over after a turn: less is not worth an extension.
      const ttl = 4 * bench.unit;
      await undisturbed(async (key) => {
        const { first, second } = await twoTurns(bench, lock, key, { ttl, renew: false }, { ttl });
        const least = endOf(first) + (turn / 2) * bench.unit;
        await bench.pass(turn);
        await first.release();
        const lease = await bench.settle(second, 1);
        assert.ok(endOf(lease) < least, "nothing was armed before");
        await gate.held;
        gate.free();
        await bench.until("it is armed anew", () => endOf(lease) > least, 2);
      });
    },
  ),

  benchCase(
    "where the extension before a hand-off fails, the queue asks anew",
    "locks 4: extends first",
    async (bench) => {
      const lock = bench.lock(
        {},
        failing((group) => does(group, "extend") || (group.guards?.length ?? 0) > 0, notSent),
      );
      const ttl = 8 * bench.unit;
      const { first, second: next } = await twoTurns(bench, lock, "k", { ttl }, { ttl, renew: false });
      await first.release();
      assert.ok(grantOf(await bench.settle(next)) > grantOf(first));
    },
  ),

  benchCase(
    "inspect knows of a hand-off within the instance, others after the next renewal",
    "locks 4: inspect",
    async (bench) => {
      const [lock, other] = [bench.lock({ ttl: 6 * bench.unit }), bench.lock()];
      const turns = await twoTurns(bench, lock, "k", { label: "first" }, { label: "next" });
      const { first, second: next } = turns;
      const waiting = lock.acquire("k");
      await first.release();
      const lease = await bench.settle(next);
      const here = await lock.inspect("k");
      assert.equal(here?.owner, lease.owner);
      assert.equal(here?.label, "next");
      assert.equal(here?.fence, lease.fence);
      assert.equal(here?.waiting, 1);
      await bench.pass(3);
      const there = await other.inspect("k");
      assert.equal(there?.label, "next");
      assert.equal(there?.owner, lease.owner);
      assert.equal(there?.fence, lease.fence);
      await lease.release();
      await (await bench.settle(waiting)).release();
      assert.equal(await other.inspect("k"), undefined);
    },
    guards,
  ),
];
