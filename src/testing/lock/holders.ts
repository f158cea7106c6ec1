import assert from "node:assert/strict";
import { StateStore } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { benchCase, guards, lossOf, rejects } from "./bench.ts";

/** One holder, whose fence is greater than every earlier one, and whose writes end with the lease. */
export const holderCases: readonly Case[] = [
  benchCase("of many instances that try at once, one gets the lock", "locks 1: one holder", async (bench) => {
    const locks = Array.from({ length: 6 }, () => bench.lock());
    const leases = await bench.settle(Promise.all(locks.map((lock) => lock.tryAcquire("k"))));
    assert.equal(leases.filter(Boolean).length, 1);
  }),

  benchCase("holders never overlap, within an instance and between them", "locks 1: one holder", async (bench) => {
    const locks = Array.from({ length: 3 }, () => bench.lock({ ttl: 40 * bench.unit, wait: 400 * bench.unit }));
    let inside = 0;
    let last = 0n;
    const once = async (lease: { fence: bigint }): Promise<void> => {
      assert.equal(++inside, 1, "alone");
      assert.ok(lease.fence > last, "a fence rises");
      last = lease.fence;
      await bench.calm();
      inside--;
    };
    const runs = locks.flatMap((lock) => Array.from({ length: 8 }, () => lock.run("k", once)));
    await bench.settle(Promise.all(runs), 400);
  }),

  benchCase("a lock is not reentrant, and says who holds it", "locks 8: nested acquires", async (bench) => {
    const lock = bench.lock();
    await lock.run(
      "k",
      async () => {
        const error = await rejects(bench.settle(lock.acquire("k", { wait: bench.unit })), "LOCK_TIMEOUT");
        const { heldByThisProcess, holder } = error as Error & {
          heldByThisProcess: boolean;
          holder: { label?: string };
        };
        assert.equal(heldByThisProcess, true);
        assert.equal(holder.label, "outer");
      },
      { label: "outer" },
    );
  }),

  benchCase("a late release leaves the next holder's lock alone", "locks 1: one holder", async (bench) => {
    const [a, b, c] = [bench.lock(), bench.lock(), bench.lock()];
    const late = await a.acquire("k", { ttl: bench.unit, renew: false });
    const next = await bench.settle(b.acquire("k", { ttl: 20 * bench.unit }));
    assert.equal(await late.release(), "lost");
    assert.equal(lossOf(late), "expired");
    assert.equal(await c.tryAcquire("k"), undefined);
    next.assertHeld();
    assert.equal(await next.release(), "released");
  }),

  benchCase("fences rise over hand-offs, releases, expiry and force", "locks 2: fence", async (bench) => {
    const [a, b] = [bench.lock(), bench.lock()];
    const fences: bigint[] = [];
    const first = await a.acquire("k");
    fences.push(first.fence);
    const second = a.acquire("k", { ttl: 8 * bench.unit });
    await first.release();
    fences.push((await bench.settle(second)).fence);
    await (await second).release();
    fences.push((await bench.settle(b.acquire("k", { ttl: bench.unit, renew: false }))).fence);
    fences.push((await bench.settle(a.acquire("k"))).fence);
    await b.forceRelease("k", "the case wants it");
    fences.push((await bench.settle(b.acquire("k"))).fence);
    for (let i = 1; i < fences.length; i++)
      assert.ok((fences[i] as bigint) > (fences[i - 1] as bigint), fences.join(" "));
  }),

  benchCase("a fence is text in JSON, exact over 2^53", "locks 2: fence", async (bench) => {
    const lease = await bench.lock().acquire("k");
    const json = JSON.parse(JSON.stringify(lease)) as { fence: string; keys: string[]; owner: string };
    assert.equal(BigInt(json.fence), lease.fence);
    assert.deepEqual(json.keys, ["k"]);
    assert.equal(json.owner, lease.owner);
  }),

  benchCase(
    "a write under a lease that was released or lost is refused before it is sent",
    "locks 3: a guarded write",
    async (bench) => {
      const instance = bench.instance();
      const store = new StateStore<number>(instance, "values", { service: "conformance" });
      const lock = bench.lockOf(instance);
      const released = await lock.acquire("k");
      await store.save("k", 1, { lease: released });
      await released.release();
      await rejects(store.save("k", 2, { lease: released }), "FENCED");
      const lost = await lock.acquire("k", { ttl: bench.unit, renew: false });
      await bench.pass(2);
      await rejects(store.save("k", 3, { lease: lost }), "FENCED");
      assert.equal(await store.load("k"), 1);
    },
    guards,
  ),

  benchCase(
    "who pauses past the end of its lease writes nothing, whatever others did",
    "locks 3: a guarded write",
    async (bench) => {
      // The holder's clocks stand still meanwhile, as those of a paused process would seem to it.
      const backend = bench.context.place.backend();
      const at = { mono: backend.time.monotonic(), wall: backend.time.wall() };
      let frozen = false;
      const time = {
        monotonic: () => (frozen ? at.mono : backend.time.monotonic()),
        wall: () => (frozen ? at.wall : backend.time.wall()),
        after: backend.time.after.bind(backend.time),
      };
      const paused = bench.on({
        name: backend.name,
        time,
        open: async () => backend.open(),
        session: () => backend.session(),
        close: async () => backend.close(),
      });
      const store = new StateStore<number>(paused, "values", { service: "conformance" });
      await store.load("k");
      at.mono = backend.time.monotonic();
      at.wall = backend.time.wall();
      frozen = true;
      const lease = await bench.lockOf(paused).acquire("k", { ttl: 2 * bench.unit, renew: false });
      const other = bench.lock();
      const between = await bench.settle(other.acquire("k"));
      await between.release();
      lease.assertHeld();
      await rejects(store.save("k", 1, { lease }), "FENCED");
      assert.equal(await store.load("k"), undefined);
      frozen = false;
    },
    guards,
  ),

  benchCase(
    "leases that are shared, and those of another instance, guard nothing",
    "locks 3: a guarded write",
    async (bench) => {
      const instance = bench.instance();
      const store = new StateStore<number>(instance, "values", { service: "conformance" });
      const lock = bench.lockOf(instance);
      const permit = await lock.semaphore("{k}s", { permits: 1 }).acquire();
      await rejects(store.save("k", 1, { lease: permit }), "INVALID_ARGUMENT");
      const reader = await lock.readWrite("{k}rw").read.acquire();
      await rejects(store.save("k", 1, { lease: reader }), "INVALID_ARGUMENT");
      const foreign = await bench.lock().acquire("k");
      await rejects(store.save("k", 1, { lease: foreign }), "INVALID_ARGUMENT");
      const writer = await lock.readWrite("{k}other").write.acquire();
      await store.save("k", 2, { lease: writer });
      assert.equal(await store.load("k"), 2);
    },
    guards,
  ),
];
