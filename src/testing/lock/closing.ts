import assert from "node:assert/strict";
import { deferred } from "../../base/async.ts";
import type { Case } from "../suite.ts";
import { benchCase, does, failing, lossOf, notSent, rejects } from "./bench.ts";

/** The end of an instance, and backends that exclude nobody. */
export const closingCases: readonly Case[] = [
  benchCase("close lets running functions finish, then releases what is held", "every call 7: close", async (bench) => {
    const instance = bench.instance();
    const lock = bench.lockOf(instance);
    const other = bench.lock();
    const held = await lock.acquire("held");
    const { signal } = held;
    const started = deferred<void>();
    const running = deferred<void>();
    let finished = false;
    const run = lock.run("running", async (lease) => {
      started.resolve();
      await running.promise;
      lease.assertHeld();
      finished = true;
    });
    await started.promise;
    const closing = instance.close(60_000);
    await bench.calm();
    await rejects(lock.acquire("k"), "UNAVAILABLE");
    assert.equal(signal.aborted, false);
    running.resolve();
    await bench.settle(run);
    assert.equal(finished, true);
    await bench.settle(closing);
    assert.equal(lossOf(held), "closed");
    assert.equal(await held.release(), "lost");
    (await other.acquire("held", { wait: 0 })).assertHeld();
  }),

  benchCase("close aborts what does not finish in time", "every call 7: close", async (bench) => {
    const instance = bench.instance();
    const lock = bench.lockOf(instance, { ttl: 60_000 });
    const started = deferred<void>();
    const run = lock.run("k", async ({ signal }) => {
      started.resolve();
      const aborted = deferred<unknown>();
      signal.addEventListener("abort", () => aborted.resolve((signal.reason as { why: string }).why));
      return aborted.promise;
    });
    await started.promise;
    const closing = instance.close(bench.unit);
    assert.equal(await bench.settle(run, 4), "closed");
    await bench.settle(closing);
    (await bench.lock().acquire("k", { wait: 0 })).assertHeld();
  }),

  benchCase("close ends an election whose store is away", "locks 10: elect", async (bench) => {
    const instance = bench.instance(failing((group) => does(group, "acquire"), notSent, { times: 1_000 }));
    const lock = bench.lockOf(instance, { timeout: bench.unit });
    let failures = 0;
    instance.events.on("error", () => void failures++);
    const election = lock.elect("leader", () => assert.fail("nobody leads"));
    await bench.until("it pauses longer each time", () => failures > 3, 60);
    await instance.close(0);
    // No time passes any more: the pause is over with the instance.
    assert.equal(await election, undefined);
  }),

  benchCase("close refuses those who wait, and leaves no ghost of them", "every call 7: close", async (bench) => {
    const instance = bench.instance();
    const lock = bench.lockOf(instance);
    const lease = await bench.lock({ ttl: 60_000 }).acquire("k");
    const waiting = lock.acquire("k", { wait: 60_000 });
    waiting.catch(() => undefined);
    await bench.waiting("k", 1);
    await bench.settle(instance.close(60_000));
    await rejects(waiting, "UNAVAILABLE");
    await bench.nobodyWaits("k");
    await lease.release();
    assert.equal((await bench.state("k")).holders.length, 0);
  }),

  benchCase(
    "close refuses those who wait for several keys, and releases what they held",
    "every call 7: close",
    async (bench) => {
      const instance = bench.instance();
      const other = bench.lock({ ttl: 60_000 });
      await other.acquire("b");
      const waiting = bench.lockOf(instance).acquire(["a", "b"], { wait: 60_000 });
      waiting.catch(() => undefined);
      await bench.waiting("b", 1);
      await bench.settle(instance.close(60_000));
      await rejects(waiting, "UNAVAILABLE");
      await bench.nobodyWaits("b");
      (await other.acquire("a", { wait: 0 })).assertHeld();
    },
  ),

  benchCase(
    "close refuses those who reached the store only after it had begun",
    "every call 7: stops taking calls",
    async (bench) => {
      const backend = bench.context.place.backend();
      const reached = deferred<void>();
      const instance = bench.on({
        name: backend.name,
        time: backend.time,
        session: () => backend.session(),
        close: async () => backend.close(),
        async open() {
          await reached.promise;
          return backend.open();
        },
      });
      const drained = deferred<void>();
      instance.register({ drain: async () => drained.promise, end: async () => undefined });
      const lock = bench.lockOf(instance, { ttl: 60_000 });
      const calls = [lock.acquire("a"), lock.acquire(["b", "c"]), lock.tryAcquire(["d", "e"])];
      const refused = Promise.all(calls.map(async (call) => rejects(call, "UNAVAILABLE")));
      const closing = instance.close(60_000);
      reached.resolve();
      await bench.settle(refused);
      drained.resolve();
      await bench.settle(closing);
      for (const key of ["a", "b", "c", "d", "e"]) assert.equal((await bench.state(key)).holders.length, 0, key);
    },
  ),

  benchCase("an election ends when its instance closes", "every call 7: close", async (bench) => {
    const [a, b] = [bench.instance(), bench.instance()];
    const started = deferred<void>();
    const led = bench.lockOf(a).elect("leader", async (_, signal) => {
      started.resolve();
      const over = deferred<void>();
      signal.addEventListener("abort", () => over.resolve());
      await over.promise;
    });
    await started.promise;
    const follows = bench.lockOf(b).elect("leader", () => "led");
    await bench.calm();
    await bench.settle(b.close(0));
    assert.equal(await bench.settle(follows), undefined);
    await bench.settle(a.close(0));
    assert.equal(await bench.settle(led), undefined);
  }),

  benchCase(
    "a backend that excludes nobody grants every lock",
    "capabilities: exclusion none",
    async (bench) => {
      const lock = bench.lock({ ttl: 60_000 });
      const leases = await Promise.all([1, 2, 3].map(() => lock.acquire("k")));
      for (const lease of leases) lease.assertHeld();
      assert.ok(await lock.tryAcquire("k"));
      assert.ok(await lock.tryAcquire(["a", "b"]));
      assert.equal(await lock.run("k", () => 7), 7);
      assert.ok(await lock.semaphore("s", { permits: 1 }).tryAcquire());
      assert.ok(await lock.semaphore("s", { permits: 1 }).tryAcquire());
      assert.equal(await lock.inspect("k"), undefined);
      let runs = 0;
      const once = async (): Promise<unknown> => lock.runOnce("id", () => ++runs);
      assert.deepEqual(
        [await once(), await once()],
        [
          { value: 1, replayed: false },
          { value: 2, replayed: false },
        ],
      );
      for (const lease of leases) assert.equal(await lease.release(), "released");
    },
    ({ exclusion }) => exclusion === "none",
  ),
];
