import assert from "node:assert/strict";
import { memoryBackend } from "../../backends/memory/index.ts";
import { Instance } from "../../client/index.ts";
import { Lock } from "../../lock/index.ts";
import type { Case } from "../suite.ts";
import { instanceOf, leaseOf, rejects } from "./client.ts";
import { begin, stand, takesPart, transaction } from "./own-stand.ts";

export const ownLeaseCases: readonly Case[] = [
  {
    title: "a guarded write commits with the rows while the lease is held, and is refused once it is lost",
    proves: "own transactions: leases",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const lease = await leaseOf(at.instance, ["k"]);
      await transaction(at, async ({ entries, insert }) => {
        await entries.save("k", 1, { lease });
        await entries.update("k", (n) => n + 1, { lease });
        assert.equal((await entries.loadEntry("k", { lease }))?.value, 2);
        await insert("held");
      });
      assert.ok(lease.ended.length > 0 && lease.ended.every(Boolean), "it is not handed on in the process");
      await lease.lose();
      await transaction(at, async ({ entries, insert }) => {
        await rejects(entries.save("k", 9, { lease }), "FENCED");
        await rejects(
          entries.update("k", () => 9, { lease }),
          "FENCED",
        );
        await rejects(entries.delete("k", { lease }), "FENCED");
        await rejects(entries.take("k", { lease }), "FENCED");
        await rejects(entries.check(lease), "FENCED");
        await rejects(entries.save("k", 9, { lease: undefined } as never), "INVALID_ARGUMENT");
        await insert("lost");
      });
      assert.equal(await at.other.load("k"), 2);
      assert.deepEqual(await at.application.rows(), ["held", "lost"]);
    },
  },
  {
    title: "a check refuses a lease that has expired, was forced away or is of another instance",
    proves: "own transactions: leases",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const lock = new Lock(at.instance, "own");
      const stranger = new Lock(instanceOf(context), "own");
      const far = await new Lock(new Instance(memoryBackend({})), "own").acquire("k");
      const brief = await leaseOf(at.instance, ["brief"], { ttl: context.unit });
      const forced = await lock.acquire("forced");
      const foreign = await stranger.acquire("foreign");
      const permit = await lock.semaphore("s", { permits: 2 }).acquire();
      await context.place.elapse(context.unit);
      await stranger.forceRelease("forced", "test");
      await transaction(at, async ({ entries, own }) => {
        await rejects(entries.check(brief), "FENCED");
        await rejects(entries.check(forced), "FENCED");
        await rejects(forced.checkWithin(own), "FENCED");
        await rejects(entries.check(foreign), "INVALID_ARGUMENT");
        await rejects(entries.check(far), "INVALID_ARGUMENT");
        await rejects(far.checkWithin(own), "UNSUPPORTED");
        await rejects(entries.check(permit), "INVALID_ARGUMENT");
        await rejects(entries.check({} as never), "INVALID_ARGUMENT");
        await entries.save("k", 1);
      });
      assert.equal(await at.other.load("k"), 1);
      await Promise.all([far, forced, foreign, permit].map(async (lease) => lease.release()));
      await transaction(at, async ({ own }) => rejects(forced.checkWithin(own), "FENCED"));
    },
  },
  {
    title: "nobody is granted a lock whose lease was checked before the transaction ends, also when the lease ends",
    proves: "own transactions: leases",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const elsewhere = new Lock(instanceOf(context), "own");
      const here = new Lock(at.instance, "own");
      const ttl = 3 * context.unit; // time to take it and to check it
      for (const end of ["release", "expiry", "force"] as const) {
        const own = await begin(at);
        const lease = await here.acquire(end, { ttl: end === "expiry" ? ttl : "30s", renew: false });
        await lease.checkWithin(own.own);
        let ended = false;
        const next = async (lock: Lock): Promise<void> => {
          const late = await lock.acquire(end, { wait: "60s", ttl: "30s", timeout: "60s" });
          assert.ok(ended, `${end}: granted before the transaction ended`);
          await late.release();
        };
        // This instance hears of a forced end by the next renewal only.
        const waiting = end === "force" ? [next(elsewhere)] : [next(elsewhere), next(here)];
        const over =
          end === "release"
            ? lease.release()
            : end === "force"
              ? elsewhere.forceRelease(end, "test", { timeout: "30s" })
              : undefined;
        await context.place.elapse(end === "expiry" ? ttl + context.unit : context.unit);
        await own.insert(end);
        ended = true;
        await own.run("COMMIT");
        await own.close();
        await Promise.all([...waiting, over]);
        await lease.release();
      }
    },
  },
  {
    title: "a lease of another server guards by floors",
    proves: "own transactions: leases",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const far = new Instance(memoryBackend({}));
      const first = await leaseOf(far, ["k"]);
      await first.lose();
      const second = await leaseOf(far, ["k"]);
      await transaction(at, async ({ entries }) => entries.save("k", 1, { lease: second }));
      await transaction(at, async ({ entries }) => {
        await rejects(entries.save("k", 9, { lease: first }), "FENCED");
        await rejects(entries.save("other", 9, { lease: second }), "INVALID_ARGUMENT");
        await entries.update("k", (n) => n + 1, { lease: second });
      });
      assert.equal(await at.other.load("k"), 2);
    },
  },
];
