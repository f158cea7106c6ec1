import assert from "node:assert/strict";
import { deferred } from "../../base/async.ts";
import type { Case } from "../suite.ts";
import { benchCase, guards, rejects } from "./bench.ts";

const never = (): never => assert.fail("it must not run");

/** An id that is used for more than one request. */
export const fingerprintCases: readonly Case[] = [
  benchCase(
    "another fingerprint is refused while it runs, after a wait, after a failure and while it is kept",
    "locks 9: fingerprint",
    async (bench) => {
      const [a, b] = [bench.lock({ ttl: 60_000, wait: 60_000 }), bench.lock({ ttl: 60_000, wait: 60_000 })];
      const secret = "card 4111";
      const mismatch = async (call: Promise<unknown>): Promise<void> => {
        const error = await rejects(bench.settle(call), "RUN_ONCE_MISMATCH");
        assert.ok(!JSON.stringify([error.message, error]).includes(secret));
      };
      const other = async (fingerprint = "other"): Promise<unknown> => b.runOnce("id", never, { fingerprint });

      const began = deferred<void>();
      const fail = deferred<void>();
      const first = a.runOnce(
        "id",
        async () => {
          began.resolve();
          await fail.promise;
          throw new Error("no such account");
        },
        { fingerprint: secret },
      );
      first.catch(() => undefined);
      await began.promise;
      await mismatch(other());
      const waits = b.runOnce("id", never, { fingerprint: secret });
      waits.catch(() => undefined);
      await bench.waiting("id", 1, "once");
      fail.resolve();
      await rejects(bench.settle(waits), "RUN_ONCE_FAILED");
      await assert.rejects(bench.settle(first), /no such account/);
      await mismatch(other());
      // A call that names none does not forget it.
      await assert.rejects(
        b.runOnce("id", () => Promise.reject(new Error("again"))),
        /again/,
      );
      await mismatch(other());
      assert.equal((await b.runOnce("id", () => 7, { fingerprint: secret })).value, 7);
      await mismatch(other());
      assert.deepEqual(await a.runOnce("id", never, { fingerprint: secret }), { value: 7, replayed: true });
      assert.deepEqual(await a.runOnce("id", never), { value: 7, replayed: true });
      await rejects(other(""), "INVALID_ARGUMENT");
    },
    guards,
  ),

  benchCase(
    "who waits for a run of another fingerprint is refused when it ends",
    "locks 9: fingerprint",
    async (bench) => {
      const instance = bench.instance();
      const lock = bench.lockOf(instance, { ttl: 60_000, wait: 60_000 });
      // The election holds the id's lock while nothing is stored of a run.
      const lead = deferred<void>();
      const leading = deferred<void>();
      const election = lock.elect("id", async () => {
        leading.resolve();
        await lead.promise;
      });
      await leading.promise;
      const calls = ["one", "two"].map((fingerprint) => lock.runOnce("id", () => fingerprint, { fingerprint }));
      for (const call of calls) call.catch(() => undefined);
      await bench.pass(1 / 2);
      lead.resolve();
      await bench.settle(election);
      const ended = await bench.settle(Promise.allSettled(calls));
      assert.equal(ended[0]?.status, "fulfilled");
      assert.ok(ended[1]?.status === "rejected");
      await rejects(Promise.reject(ended[1].reason as Error), "RUN_ONCE_MISMATCH");
    },
    guards,
  ),
];
