import assert from "node:assert/strict";
import { deferred } from "../../base/async.ts";
import { isHoldfastError } from "../../base/errors.ts";
import { Cache } from "../../cache/index.ts";
import type { Instance } from "../../client/index.ts";
import { StateStore, transact } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { type Bench, benchCase, guards, transacts } from "./bench.ts";

/** Longer than any case takes. */
const drainMs = 120_000;

interface Ways {
  readonly bench: Bench;
  readonly instance: Instance;
  readonly close: () => Promise<void>;
}

/** What runs a function of the application, and closes the instance in it. */
const ways: Readonly<Record<string, (ways: Ways) => Promise<unknown>>> = {
  run: async ({ bench, instance, close }) => bench.lockOf(instance).run("k", close),
  "run of several keys": async ({ bench, instance, close }) => bench.lockOf(instance).run(["k", "l"], close),
  tryRun: async ({ bench, instance, close }) => bench.lockOf(instance).tryRun("k", close),
  semaphore: async ({ bench, instance, close }) => bench.lockOf(instance).semaphore("s", { permits: 2 }).run(close),
  elect: async ({ bench, instance, close }) => bench.lockOf(instance).elect("leader", close),
  update: async ({ instance, close }) => {
    const store = new StateStore<number>(instance, "values", { service: "conformance" });
    await store.save("k", 0);
    return store.update("k", async (n) => {
      await close();
      return n + 1;
    });
  },
  transact: async ({ instance, close }) => {
    const store = new StateStore<number>(instance, "values", { service: "conformance" });
    return transact(instance, async (tx) => {
      tx.save(store, "k", 1);
      await close();
    });
  },
  "a loader": async ({ instance, close }) => {
    const cache = new Cache<number>(instance, "values", { service: "conformance", ttl: "1m" });
    return cache.getOrSet("k", async () => {
      await close();
      return 1;
    });
  },
  nested: async ({ bench, instance, close }) => {
    const lock = bench.lockOf(instance);
    return lock.run("outer", async () =>
      lock.run("inner", async () => Promise.all([bench.calm(), bench.calm().then(close)])),
    );
  },
};

const runs: typeof ways = {
  runOnce: async ({ bench, instance, close }) => bench.lockOf(instance).runOnce("id", close),
  commit: async ({ bench, instance, close }) =>
    bench.transactingLock(instance).runOnce("{v}id", () => 7, { commit: close }),
};

/** Asserts that none of them keeps the close waiting, nor is left behind by it. */
async function closeInside(bench: Bench, all: typeof ways): Promise<void> {
  for (const [name, way] of Object.entries(all)) {
    const instance = bench.instance();
    const closed = deferred<void>();
    const call = way({
      bench,
      instance,
      async close() {
        await bench.calm();
        await instance.close(drainMs);
        closed.resolve();
      },
    }).catch((error: unknown) => {
      assert.ok(isHoldfastError(error, "UNAVAILABLE") || isHoldfastError(error, "FENCED"), `${name}: ${String(error)}`);
    });
    await bench.settle(closed.promise, 20);
    await bench.settle(call, 20);
  }
}

/** An instance that is closed by what it waits for. */
export const closingInsideCases: readonly Case[] = [
  benchCase(
    "close does not wait for those from inside of which it is called",
    "every call 7: close",
    async (bench) => closeInside(bench, ways),
    transacts,
  ),

  benchCase(
    "close does not wait for a run from inside of which it is called",
    "every call 7: close",
    async (bench) => closeInside(bench, runs),
    transacts,
  ),

  benchCase("close from inside waits for all others", "every call 7: close", async (bench) => {
    const instance = bench.instance();
    const lock = bench.lockOf(instance, { ttl: drainMs });
    const [started, end, closing] = [deferred<void>(), deferred<void>(), deferred<void>()];
    const other = lock.run("other", async (lease) => {
      started.resolve();
      await end.promise;
      lease.assertHeld();
      return "finished";
    });
    await started.promise;
    const order: string[] = [];
    const closer = lock.run("closer", async () => {
      // Begun inside of it, and yet one that does not wait for the close.
      const began = deferred<void>();
      const beside = lock.run("beside", async (lease) => {
        began.resolve();
        await end.promise;
        lease.assertHeld();
        order.push("beside");
      });
      await began.promise;
      closing.resolve();
      await instance.close(drainMs);
      order.push("closed");
      await beside;
    });
    await closing.promise;
    await bench.calm();
    assert.deepEqual(order, []);
    end.resolve();
    assert.equal(await bench.settle(other), "finished");
    await bench.settle(closer);
    assert.deepEqual(order, ["beside", "closed"]);
  }),

  benchCase(
    "a close that waits for a function ends when that one closes too",
    "every call 7: close",
    async (bench) => {
      const instance = bench.instance();
      const lock = bench.lockOf(instance, { ttl: drainMs });
      const started = deferred<void>();
      const told = deferred<void>();
      const run = lock.run("k", async () => {
        started.resolve();
        await told.promise;
        await instance.close(drainMs);
      });
      await started.promise;
      const closing = instance.close(drainMs);
      await bench.calm();
      told.resolve();
      await bench.settle(closing, 20);
      await bench.settle(run, 20);
    },
    guards,
  ),

  benchCase("a leader is told when a close begins, and waited for", "locks 10: elect", async (bench) => {
    for (const ending of ["returns", "rejects", "lasts"] as const) {
      const instance = bench.instance();
      const leading = deferred<void>();
      const election = bench.lockOf(instance).elect(ending, async (lease, signal) => {
        leading.resolve();
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        lease.assertHeld();
        if (ending === "rejects") throw signal.reason as Error;
        if (ending === "lasts") await bench.pass(1);
        lease.assertHeld();
        return "resigned";
      });
      await leading.promise;
      const closing = instance.close(drainMs);
      assert.equal(await bench.settle(election, 20), ending === "rejects" ? undefined : "resigned");
      await bench.settle(closing, 20);
      assert.deepEqual(await bench.state(ending, "once"), { holders: [], waiting: 0 });
    }
  }),
];
