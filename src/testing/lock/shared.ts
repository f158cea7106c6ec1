import assert from "node:assert/strict";
import { deferred } from "../../base/async.ts";
import type { Lease } from "../../lock/index.ts";
import type { Case } from "../suite.ts";
import { benchCase, lossOf, rejects } from "./bench.ts";

/** Semaphores, readers and writers, leaders, force, and looking at locks. */
export const sharedCases: readonly Case[] = [
  benchCase("a semaphore has so many holders and no more, of all instances", "locks 10: semaphores", async (bench) => {
    const pools = Array.from({ length: 3 }, () =>
      bench.lock({ ttl: 60_000, wait: 60_000 }).semaphore("pool", { permits: 3 }),
    );
    let inside = 0;
    let most = 0;
    const together = deferred<void>();
    const once = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      assert.ok(inside <= 3, `${inside} at a time`);
      if (inside > 1) together.resolve();
      // A slow store lets the next one in later than a few turns of the loop.
      await Promise.race([together.promise, bench.pass(4)]);
      inside--;
    };
    await bench.settle(Promise.all(pools.flatMap((pool) => Array.from({ length: 6 }, () => pool.run(once)))), 400);
    assert.ok(most > 1, "they did share");
  }),

  benchCase("tries of one instance take what permits there are", "locks 10: semaphores", async (bench) => {
    const pool = bench.lock().semaphore("pool", { permits: 2 });
    const tries = await Promise.all([pool.tryAcquire(), pool.tryAcquire(), pool.tryAcquire()]);
    assert.equal(tries.filter(Boolean).length, 2);
    const fences = tries.filter((lease) => lease !== undefined).map((lease) => lease.fence);
    assert.notEqual(fences[0], fences[1]);
    const third = pool.acquire();
    assert.equal(await tries[0]?.release(), "released");
    (await bench.settle(third)).assertHeld();
    const tried = await pool.tryRun(() => 1);
    assert.equal(tried.ran, false);
    assert.ok(!tried.ran && tried.holder);
  }),

  benchCase("a permit whose holder vanishes comes back", "locks 10: semaphores", async (bench) => {
    const lock = bench.lock();
    await lock.semaphore("pool", { permits: 1 }).acquire({ ttl: bench.unit, renew: false });
    await bench.settle(bench.lock().semaphore("pool", { permits: 1 }).acquire(), 4);
  }),

  benchCase("permits must be a whole number, at least 1", "every call 4: bad input", async (bench) => {
    const lock = bench.lock();
    for (const permits of [0, -1, 1.5, Number.NaN, "2"]) {
      assert.throws(() => lock.semaphore("pool", { permits: permits as number }), { code: "INVALID_ARGUMENT" });
    }
  }),

  benchCase("readers together, a writer alone, in their order", "locks 10: read/write", async (bench) => {
    const [a, b] = [bench.lock({ ttl: 60_000, wait: 60_000 }), bench.lock({ ttl: 60_000, wait: 60_000 })];
    const first = await a.readWrite("rw").read.acquire();
    const second = await b.readWrite("rw").read.acquire({ wait: 0 });
    assert.equal(await b.readWrite("rw").write.tryAcquire(), undefined);
    let wrote = false;
    const writer = b.readWrite("rw").write.run(() => (wrote = true));
    await bench.calm();
    // A reader that comes later does not overtake the writer that waits here.
    const reader = b.readWrite("rw").read.run(() => assert.equal(wrote, true));
    await first.release();
    await bench.calm();
    assert.equal(wrote, false);
    await second.release();
    await bench.settle(Promise.all([writer, reader]));
  }),

  benchCase("a writer that waited behind a reader who left is a writer", "locks 10: read/write", async (bench) => {
    const [a, b] = [bench.lock({ ttl: 60_000 }), bench.lock({ ttl: 60_000, wait: 60_000 })];
    const first = await a.readWrite("rw").write.acquire();
    const abort = new AbortController();
    const reader = b.readWrite("rw").read.acquire({ signal: abort.signal });
    reader.catch(() => undefined);
    await bench.waiting("rw", 1, "shared");
    const writer = b.readWrite("rw").write.acquire();
    abort.abort(new Error("not any more"));
    await assert.rejects(reader, abort.signal.reason as Error);
    await first.release();
    (await bench.settle(writer)).assertHeld();
    assert.equal(await a.readWrite("rw").read.tryAcquire(), undefined, "it is alone");
  }),

  benchCase("a leader leads alone, and after a loss another one or it again", "locks 10: elect", async (bench) => {
    const [a, b] = [bench.lock({ ttl: 8 * bench.unit }), bench.lock({ ttl: 8 * bench.unit })];
    const stop = new AbortController();
    const terms: { who: string; lease: Lease }[] = [];
    const fenceOf = (i: number): bigint => terms[i]?.lease.fence ?? 0n;
    const lead = (who: string) => async (lease: Lease, signal: AbortSignal) => {
      terms.push({ who, lease });
      const over = deferred<void>();
      signal.addEventListener("abort", () => over.resolve());
      await over.promise;
    };
    const elections = [
      a.elect("leader", lead("a"), { signal: stop.signal }),
      b.elect("leader", lead("b"), { signal: stop.signal }),
    ];
    await bench.until("one of them leads", () => terms.length > 0);
    await bench.pass(1 / 4);
    assert.equal(terms.length, 1, "the other waits");
    await bench.behind([{ op: "steal", lock: bench.key("leader", "once") }]);
    await bench.until("one of them leads again", () => terms.length > 1);
    const [first] = terms as [(typeof terms)[number]];
    await bench.until("the first one knows of its loss", () => lossOf(first.lease) !== undefined);
    for (let i = 1; i < terms.length; i++) assert.ok(fenceOf(i) > fenceOf(i - 1), "one after the other");
    assert.equal(lossOf(first.lease), "forced");
    stop.abort();
    assert.deepEqual(await bench.settle(Promise.all(elections)), [undefined, undefined]);
    // Who waited leaves the queue in the background, and may have been granted the lock before, or be granted it yet.
    let held = Infinity;
    for (let i = 0; i < 40 && held > 0; i++) {
      if (i > 0) await bench.pass(1 / 8);
      held = (await bench.state("leader", "once")).holders.length;
    }
    assert.equal(held, 0);
  }),

  benchCase("a leader that finishes gives its value, one that fails its error", "locks 10: elect", async (bench) => {
    const lock = bench.lock();
    assert.equal(await lock.elect("leader", () => 7), 7);
    const own = new Error("the leader's own");
    await assert.rejects(
      lock.elect("leader", () => Promise.reject(own)),
      own,
    );
    assert.equal(await bench.settle(lock.elect("leader", () => 8)), 8);
  }),

  benchCase("a leader that fails because it lost campaigns again", "locks 10: elect", async (bench) => {
    const lock = bench.lock({ ttl: 3 * bench.unit });
    let terms = 0;
    const election = lock.elect("leader", async (lease, signal) => {
      if (++terms > 1) return "led";
      const over = deferred<never>();
      signal.addEventListener("abort", () => over.reject(lease.signal.reason));
      await Promise.race([over.promise, bench.behind([{ op: "steal", lock: bench.key("leader", "once") }])]);
      return over.promise;
    });
    assert.equal(await bench.settle(election), "led");
  }),

  benchCase("a force tells of the holder that it has ended", "locks 10: forceRelease", async (bench) => {
    const [a, b] = [bench.lock({ ttl: 60_000 }), bench.lock({ ttl: 60_000 })];
    await a.acquire("k", { label: "ended before, and not told yet" });
    await bench.behind([{ op: "steal", lock: bench.key("k") }]);
    const lease = await b.acquire("k", { wait: 0 });
    assert.equal((await a.forceRelease("k", "it is stuck"))?.owner.split("/")[0], lease.owner.split("/")[0]);
  }),

  benchCase(
    "a force fences the holder at once, and its signal aborts at its next renewal",
    "locks 10: forceRelease",
    async (bench) => {
      const [a, b] = [bench.lock({ ttl: 6 * bench.unit }), await bench.ready(bench.lock())];
      const lease = await a.acquire("k", { label: "stuck" });
      const { signal } = lease;
      const before = await b.forceRelease("k", "it is stuck");
      assert.equal(before?.label, "stuck");
      assert.equal(before?.fence, lease.fence);
      const next = await b.acquire("k", { wait: 0, ttl: 40 * bench.unit });
      assert.ok(next.fence > lease.fence);
      await bench.until("it is told", () => signal.aborted, 6);
      assert.equal(lossOf(lease), "forced");
      assert.equal(await lease.release(), "lost");
      next.assertHeld();
      assert.equal(await b.forceRelease("nobody holds it", "why not"), undefined);
      await rejects(b.forceRelease("k", ""), "INVALID_ARGUMENT");
    },
  ),

  benchCase(
    "list tells of every lock that is held",
    "locks: list",
    async (bench) => {
      const lock = bench.lock({ label: "listed" });
      const leases = await Promise.all(["a", "b", "c"].map((key) => lock.acquire(key)));
      await leases[1]?.release();
      const found: string[] = [];
      for await (const holder of bench.lock().list({ kind: "lock" })) {
        assert.equal(holder.label, "listed");
        found.push(holder.key);
      }
      assert.deepEqual([...new Set(found)].sort(), ["a", "c"]);
    },
    (capabilities) => capabilities.exclusion !== "none" && capabilities.list,
  ),

  benchCase(
    "where locks cannot be listed, list says so",
    "locks: list",
    async (bench) => {
      await rejects(bench.lock().list().next() as Promise<unknown>, "UNSUPPORTED");
    },
    (capabilities) => !capabilities.list,
  ),

  benchCase(
    "bad input is refused early",
    "every call 4: bad input",
    async (bench) => {
      const lock = bench.lock();
      const bad: unknown[] = ["", 1, null, undefined, "\ud800", "x".repeat(1025), [], ["a", ""], { a: 1 }];
      for (const key of bad) await rejects(lock.acquire(key as string), "INVALID_ARGUMENT");
      const options: object[] = [{ ttl: 0 }, { ttl: "soon" }, { wait: -1 }, { wait: "never" }, { renew: 1 }];
      options.push({ maxHold: 0 }, { label: "" }, { label: 7 }, { signal: 1 }, { timeout: 0 }, { ttl: Infinity });
      for (const one of options) await rejects(lock.tryAcquire("k", one), "INVALID_ARGUMENT");
      await rejects(lock.run("k", undefined as never), "INVALID_ARGUMENT");
      await rejects(lock.tryRun("k", 1 as never), "INVALID_ARGUMENT");
      await rejects(lock.runOnce("k", undefined as never), "INVALID_ARGUMENT");
      await rejects(
        lock.runOnce("k", () => 1, { onCrash: "perhaps" as never }),
        "INVALID_ARGUMENT",
      );
      await rejects(lock.inspect(""), "INVALID_ARGUMENT");
      assert.equal((await bench.state("k")).holders.length, 0);
    },
    () => true,
  ),
];
