import assert from "node:assert/strict";
import { deferred } from "../../base/async.ts";
import type { Group } from "../../port/index.ts";
import type { Fault } from "../misbehave.ts";
import type { Case } from "../suite.ts";
import { benchCase, does, failing, rejects, replyLost, valve } from "./bench.ts";

const acquires = (group: Group): boolean => does(group, "acquire");

/** What becomes of an acquire whose reply is lost or late. */
export const replyCases: readonly Case[] = [
  benchCase(
    "an acquire whose reply was lost is the same acquire when it is made again",
    "locks 7: replay-safe",
    async (bench) => {
      for (const runs of [true, false]) {
        const seen: number[] = [];
        const lost = failing(acquires, replyLost, { runs });
        const fault: Fault = {
          name: "loses a reply",
          async group(group, next) {
            const outcome = await (lost.group as NonNullable<Fault["group"]>)(group, next);
            if (outcome.ok && acquires(group)) seen.push((outcome.results[0] as { grant: number }).grant);
            return outcome;
          },
        };
        const key = `k ${runs}`;
        const lease = await bench.settle(bench.lock({}, fault).acquire(key));
        const [holder, second] = (await bench.state(key)).holders;
        assert.equal(second, undefined);
        assert.equal(`${holder?.owner}/0`, lease.owner);
        assert.equal(BigInt(holder?.grant ?? 0) << 10n, lease.fence);
        assert.equal(seen.length, 1);
        assert.equal(await lease.release(), "released");
      }
    },
  ),

  benchCase(
    "an acquire that was given up in an unknown state takes nothing later",
    "locks 7: leaves a mark",
    async (bench) => {
      const late: Group[] = [];
      const fault: Fault = {
        name: "keeps acquires for later",
        async group(group, next) {
          if (!acquires(group)) return next(group);
          late.push(group);
          return replyLost;
        },
      };
      const ttl = 30_000;
      const lock = await bench.ready(bench.lock({ ttl, timeout: 2 * bench.unit }, fault));
      await rejects(bench.settle(lock.acquire("k"), 10), "INDETERMINATE");
      await bench.pass(1);
      assert.ok(late.length > 0);
      for (const { ops } of late) await bench.behind(ops);
      assert.deepEqual(await bench.state("k"), { holders: [], waiting: 0 });
    },
  ),

  benchCase(
    "a late copy of an acquire takes nothing after the release either",
    "locks 7: leaves a mark",
    async (bench) => {
      const late: Group[] = [];
      const fault: Fault = {
        name: "loses the first acquire for a while",
        async group(group, next) {
          if (!acquires(group) || late.length > 0) return next(group);
          late.push(group);
          return replyLost;
        },
      };
      const lease = await bench.settle(bench.lock({ ttl: 30_000 }, fault).acquire("k"));
      await lease.release();
      await bench.behind((late[0] as Group).ops);
      assert.deepEqual(await bench.state("k"), { holders: [], waiting: 0 });
    },
  ),

  benchCase("a reply that comes after the ttl is no lease", "locks 7: late replies", async (bench) => {
    const gate = valve("replies are late", acquires, "reply");
    const lock = bench.lock({ ttl: 2 * bench.unit, timeout: 60 * bench.unit }, gate.fault);
    const waiting = lock.acquire("k", { wait: 60 * bench.unit });
    await gate.held;
    await bench.pass(3);
    gate.free();
    const lease = await bench.settle(waiting);
    assert.ok(lease.remainingMs > bench.unit, "it was asked for anew");
    assert.equal((await bench.state("k")).holders.length, 1);
    lease.assertHeld();
  }),

  benchCase("a try that is answered after the ttl ends, and holds nothing", "locks 7: late replies", async (bench) => {
    const gate = valve("replies are late", acquires, "reply");
    const lock = bench.lock({ ttl: 2 * bench.unit, timeout: 60 * bench.unit }, gate.fault);
    const trying = lock.tryAcquire("k");
    trying.catch(() => undefined);
    await gate.held;
    await bench.pass(3);
    gate.free();
    await rejects(bench.settle(trying), "UNAVAILABLE");
    await bench.settle(bench.lock().acquire("k"), 1);
  }),

  benchCase("a waiter outlasts a refresh that took all its time to be lost", "locks 7: waiting", async (bench) => {
    let down = false;
    let lost = 0;
    const silence = deferred<void>();
    const fault: Fault = {
      name: "does not answer",
      async group(group, next) {
        if (!down || !acquires(group)) return next(group);
        lost++;
        await silence.promise;
        return replyLost;
      },
    };
    const lease = await bench.lock({ ttl: 60_000 }).acquire("k");
    const lock = await bench.ready(bench.lock({ wait: 60_000, timeout: 2 * bench.unit }, fault));
    const waiting = lock.acquire("k");
    waiting.catch(() => undefined);
    await bench.waiting("k", 1);
    down = true;
    await bench.until("it refreshes its place", () => lost === 1, 5_000 / bench.unit);
    await bench.pass(3);
    down = false;
    silence.resolve();
    await lease.release();
    await (await bench.settle(waiting, 4_000 / bench.unit)).release();
  }),
];
