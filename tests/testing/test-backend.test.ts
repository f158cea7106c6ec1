import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { isHoldfastError, type ErrorCode } from "../../src/base/errors.ts";
import { connect } from "../../src/holdfast/connect.ts";
import type { Holdfast } from "../../src/holdfast/holdfast.ts";
import { testBackend, type StoreCall, type StoreFailure, type TestBackend } from "../../src/testing/test-backend.ts";

/** Runs `promise` while the clock goes on, for a call that waits for it. */
async function meanwhile<T>(backend: TestBackend, promise: Promise<T>): Promise<T> {
  const state = { done: false };
  const settled = promise.finally(() => {
    state.done = true;
  });
  settled.catch(() => undefined);
  for (let i = 0; i < 200 && !state.done; i++) await backend.advance("100ms");
  return settled;
}

async function setUp(t: TestContext) {
  const backend = testBackend();
  const [a, b] = await Promise.all([connect(backend), connect(backend)]);
  t.after(async () => {
    await Promise.all([a, b].map(async (one: Holdfast) => meanwhile(backend, one.close())));
    await backend.close();
  });
  return { backend, a, b };
}

const rejects = async (promise: Promise<unknown>, code: ErrorCode): Promise<void> =>
  assert.rejects(promise, (error) => isHoldfastError(error, code));

describe("the test backend", () => {
  it("shows two connects as two instances of one store", async (t) => {
    const { a, b } = await setUp(t);
    await a.state("s").save("k", { n: 1 });
    assert.deepEqual(await b.state("s").load("k"), { n: 1 });
    const lease = await a.lock("l").acquire("k");
    assert.equal(await b.lock("l").tryAcquire("k"), undefined);
    await lease.release();
    assert.ok(await b.lock("l").tryAcquire("k"));
  });

  it("lets records expire when its clock is advanced", async (t) => {
    const { backend, a } = await setUp(t);
    const store = a.state("s");
    await store.save("k", 1, { ttl: "10s" });
    await backend.advance("9999ms");
    assert.equal(await store.load("k"), 1);
    await backend.advance("1ms");
    assert.equal(await store.load("k"), undefined);
  });

  it("renews what is held while time goes on, and lets the rest expire", async (t) => {
    const { backend, a, b } = await setUp(t);
    const renewed = await a.lock("l").acquire("renewed", { ttl: "10s" });
    const left = await a.lock("l").acquire("left", { ttl: "10s", renew: false });
    await backend.advance("1m");
    assert.equal(renewed.signal.aborted, false);
    assert.equal(await b.lock("l").tryAcquire("renewed"), undefined);
    assert.equal(left.signal.aborted, true);
    assert.ok(await b.lock("l").tryAcquire("left"));
  });

  it("ends a wait at its time, at once for the test", async (t) => {
    const { backend, a, b } = await setUp(t);
    await a.lock("l").acquire("k");
    await rejects(meanwhile(backend, b.lock("l").acquire("k", { wait: "3s" })), "LOCK_TIMEOUT");
  });

  it("ends what waits, and what has no answer, at its very time, also as the first thing that happens on it", async () => {
    for (const isFirst of [true, false]) {
      const backend = testBackend();
      const [a, b] = await Promise.all([connect(backend), connect(backend)]);
      if (!isFirst) await b.lock("l").run("other", () => undefined);
      const held = await a.lock("l").acquire("k", { ttl: "1h" });
      const ends: string[] = [];
      const waiting = b.lock("l").acquire("k", { wait: "5s" });
      waiting.catch(() => ends.push("waited"));
      await backend.advance(4_999);
      assert.deepEqual(ends, []);
      await backend.advance(1);
      assert.deepEqual(ends, ["waited"]);
      await held.release();
      await Promise.all([a.close(), b.close()]);
      await backend.close();
    }
  });

  it("asks again at once for a lock whose reply was lost, and gives up at the timeout where all are", async (t) => {
    const { backend, a } = await setUp(t);
    for (const failure of ["indeterminate", "indeterminate-applied"] as const) {
      backend.failNext("acquire", failure);
      await (await a.lock("l").acquire("k")).release();
    }
    backend.failNext("acquire", "indeterminate", { times: 100 });
    const lost = a.lock("l").acquire("k", { timeout: "2s" });
    lost.catch(() => undefined);
    await backend.advance("2s");
    await rejects(lost, "INDETERMINATE");
  });

  it("ends a lease in the store: its writes are fenced, others acquire, its signal follows", async (t) => {
    const { backend, a, b } = await setUp(t);
    const store = a.state("l");
    const lease = await a.lock("l").acquire("k", { ttl: "30s" });
    await store.save("k", 1, { lease });
    await backend.expire(lease);
    await rejects(store.save("k", 2, { lease }), "FENCED");
    const next = await b.lock("l").tryAcquire("k");
    assert.ok(next && next.fence > lease.fence);
    await meanwhile(backend, new Promise((resolve) => lease.signal.addEventListener("abort", resolve, { once: true })));
    assert.ok(isHoldfastError(lease.signal.reason, "LEASE_LOST"));
    assert.equal(await store.load("k"), 1);
    await backend.expire(lease);
    next.assertHeld();
  });

  it("passes an ended lease on to who waits, also a permit and one of several keys", async (t) => {
    const { backend, a, b } = await setUp(t);
    const permits = { permits: 1 };
    const leases = [
      await a.lock("l").acquire("k"),
      await a.lock("l").semaphore("s", permits).acquire(),
      await a.lock("l").acquire(["1", "2"]),
    ];
    const waiting = [b.lock("l").acquire("k"), b.lock("l").semaphore("s", permits).acquire(), b.lock("l").acquire("2")];
    await backend.advance("1s");
    for (const lease of leases) await backend.expire(lease);
    for (const lease of await meanwhile(backend, Promise.all(waiting))) lease.assertHeld();
  });

  it("refuses to end what is no lease on it", async (t) => {
    const { backend } = await setUp(t);
    const other = testBackend();
    const elsewhere = await connect(other);
    const lease = await elsewhere.lock("l").acquire("k");
    await rejects(backend.expire(lease), "INVALID_ARGUMENT");
    await rejects(backend.expire({ keys: ["k"] }), "INVALID_ARGUMENT");
    await meanwhile(other, elsewhere.close());
    await other.close();
  });

  it("fails the next call of a kind, once, by whichever instance", async (t) => {
    const { backend, a, b } = await setUp(t);
    backend.failNext("save", "unavailable");
    assert.equal(await b.state("s").load("k"), undefined);
    await rejects(b.state("s").save("k", 1), "UNAVAILABLE");
    await a.state("s").save("k", 2);
    assert.equal(await a.state("s").load("k"), 2);
  });

  it("refuses for a while what a lock waits for", async (t) => {
    const { backend, a } = await setUp(t);
    const lock = a.lock("l", { ttl: "30s" });
    backend.failNext("acquire", "refused");
    await assert.rejects(lock.tryAcquire("k"), { code: "UNAVAILABLE", refused: true });
    backend.failNext("acquire", "unavailable");
    await assert.rejects(lock.acquire("k"), { code: "UNAVAILABLE", refused: false });
    backend.failNext("acquire", "refused", { times: 20 });
    const lease = await meanwhile(backend, lock.acquire("k"));
    // Longer than a release may take.
    backend.failNext("release", "refused", { times: 15 });
    assert.equal(await meanwhile(backend, lease.release()), "unknown");
    assert.equal(await lock.tryAcquire("k"), undefined);
    await backend.advance("15s");
    assert.ok(await lock.tryAcquire("k"));
  });

  it("fails as often as told, each kind for itself, in the order of the calls", async (t) => {
    const { backend, a } = await setUp(t);
    const store = a.state("s");
    await store.save("k", 1);
    backend.failNext("load", "unavailable", { times: 2 });
    backend.failNext("delete", "indeterminate");
    await rejects(store.load("k"), "UNAVAILABLE");
    await rejects(store.delete("k"), "INDETERMINATE");
    await rejects(store.load("k"), "UNAVAILABLE");
    assert.equal(await store.load("k"), 1);
    assert.equal(await store.delete("k"), true);
  });

  it("loses a request, or the reply to one that took effect", async (t) => {
    const { backend, a } = await setUp(t);
    const store = a.state("s");
    backend.failNext("save", "indeterminate");
    await rejects(store.save("lost", 1), "INDETERMINATE");
    assert.equal(await store.load("lost"), undefined);
    backend.failNext("save", "indeterminate-applied");
    await store.save("applied", 1);
    assert.equal(await store.load("applied"), 1, "the write was found under its own id");
    backend.failNext("delete", "indeterminate-applied");
    await rejects(store.delete("applied"), "INDETERMINATE");
    assert.equal(await store.load("applied"), undefined);
  });

  it("fails listings, acquisitions and releases", async (t) => {
    const { backend, a, b } = await setUp(t);
    backend.failNext("list", "unavailable");
    await rejects(a.state("s").listPage({}), "UNAVAILABLE");
    backend.failNext("acquire", "unavailable");
    await rejects(a.lock("l").tryAcquire("k"), "UNAVAILABLE");
    const lease = await a.lock("l").acquire("k");
    backend.failNext("release", "unavailable");
    await meanwhile(backend, lease.release());
    backend.failNext("inspect", "unavailable");
    await rejects(b.lock("l").inspect("k"), "UNAVAILABLE");
    backend.failNext("steal", "unavailable");
    await rejects(b.lock("l").forceRelease("k", "a test"), "UNAVAILABLE");
  });

  it("fails renewals until the lease is lost", async (t) => {
    const { backend, a } = await setUp(t);
    const lease = await a.lock("l").acquire("k", { ttl: "10s" });
    backend.failNext("renew", "unavailable", { times: 1_000 });
    await backend.advance("11s");
    assert.equal(lease.signal.aborted, true);
    assert.throws(
      () => lease.assertHeld(),
      (error) => isHoldfastError(error),
    );
  });

  it("refuses a call, a failure or a number that it does not know", () => {
    const backend = testBackend();
    const bad: [StoreCall, StoreFailure, number][] = [
      ["store" as StoreCall, "unavailable", 1],
      ["save", "slow" as StoreFailure, 1],
      ["save", "unavailable", 0],
    ];
    for (const [call, failure, times] of bad) {
      assert.throws(
        () => backend.failNext(call, failure, { times }),
        (error) => isHoldfastError(error, "INVALID_ARGUMENT"),
      );
    }
  });
});
