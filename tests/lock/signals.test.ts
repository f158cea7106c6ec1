import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { UnavailableError } from "../../src/base/errors.ts";
import type { AcquireOptions, Lease } from "../../src/lock/index.ts";
import { claimMs } from "../../src/lock/claim.ts";
import type { Operation, Signal } from "../../src/port/index.ts";
import { setUp } from "./hands.ts";

describe("grants that are told", () => {
  it("after a gap every waiter asks, for it may have missed its grant", async () => {
    const listeners = new Set<(signal: Signal) => void>();
    const { time, lock, other } = setUp((own) => ({
      async subscribe(_, listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      publish: async (topic, body) => own.publish(topic, body),
    }));
    const leases = await Promise.all(["a", "b"].map((key) => other.acquire(key)));
    const waiting = ["a", "b"].map((key) => lock.acquire(key));
    await time.advance(0);
    for (const lease of leases) await lease.release();
    const before = time.monotonic();
    for (const listener of listeners) listener({ type: "gap" });
    await time.advance(0);
    for (const lease of await Promise.all(waiting)) lease.assertHeld();
    assert.equal(time.monotonic(), before);
  });

  it("one that is told before the refusal that came before it is not missed", async () => {
    let overtaken: (() => Promise<unknown>) | undefined;
    const { time, lock, other } = setUp((own) => own, {
      async answered([outcome]) {
        if (outcome?.ok !== false || outcome.why !== "held" || !overtaken) return;
        const release = overtaken;
        overtaken = undefined;
        await release();
        await new Promise(setImmediate);
      },
    });
    // Once somebody has waited, grants are listened for.
    const before = await other.acquire("k");
    const first = lock.acquire("k");
    await time.advance(0);
    await before.release();
    await time.advance(0);
    await (await first).release();

    const lease = await other.acquire("k");
    overtaken = async () => lease.release();
    const start = time.monotonic();
    let held = false;
    const second = lock.acquire("k").then((won) => {
      held = true;
      return won;
    });
    await new Promise(setImmediate);
    await time.advance(0);
    await new Promise(setImmediate);
    await time.advance(0);
    assert.ok(held, "it waits for its timer");
    (await second).assertHeld();
    assert.equal(time.monotonic(), start);
  });

  it("where they cannot be heard waiters go by their timers, it is told, and tried again", async () => {
    let tries = 0;
    const { time, instance, lock, other } = setUp((own) => ({
      async subscribe(to, listener) {
        if (++tries === 1) throw new UnavailableError("no channel");
        return own.subscribe(to, listener);
      },
      publish: async (topic, body) => own.publish(topic, body),
    }));
    const errors: string[] = [];
    instance.events.on("error", ({ what }) => errors.push(what));
    const first = await other.acquire("k");
    const waiting = lock.acquire("k");
    await time.advance(100);
    await first.release();
    await time.advance("2s");
    await (await waiting).release();
    assert.equal(errors.length, 1);
    const second = await other.acquire("k");
    const again = lock.acquire("k");
    await time.advance(100);
    assert.equal(tries, 2);
    await second.release();
    await time.advance(0);
    (await again).assertHeld();
  });
});

describe("a grant that is told", () => {
  /** An instance that waits for "k", which another holds; what it asks the store, and the grants told to it while they are held back. */
  async function waiting(options: AcquireOptions) {
    const asked: Operation[] = [];
    const back: (() => void)[] = [];
    const state = { away: false, holdsBack: false };
    const world = setUp(
      (own) => ({
        async subscribe(to, listener) {
          return own.subscribe(to, (signal) => {
            if (state.holdsBack) back.push(() => listener(signal));
            else listener(signal);
          });
        },
        publish: async (topic, body) => own.publish(topic, body),
      }),
      {
        asked: (ops) => asked.push(...ops),
        away: () => state.away,
      },
    );
    const { time, lock, other } = world;
    const before = await other.acquire("k", { ttl: "1m" });
    let won: Lease | undefined;
    void lock.acquire("k", { wait: "1h", ...options }).then((lease) => (won = lease));
    await time.advance(0);
    asked.length = 0;
    const release = async () => {
      await before.release();
      await time.advance(0);
    };
    return {
      ...world,
      asked,
      state,
      release,
      won: () => won,
      tell: () => back.splice(0).forEach((one) => one()),
    };
  }

  it("begins at once, and a quick turn costs no request but its release", async () => {
    const { time, asked, release, won } = await waiting({ ttl: "30s" });
    await release();
    won()?.assertHeld();
    assert.deepEqual(asked, []);
    await won()?.release();
    await time.advance(100);
    assert.deepEqual(
      asked.map(({ op }) => op),
      ["release"],
    );
  });

  it("lasts for its claim at first, and is extended to its ttl soon", async () => {
    const { time, asked, release, won } = await waiting({ ttl: "30s" });
    await time.advance(900);
    await release();
    assert.ok((won()?.remainingMs ?? 0) < claimMs - 900);
    await time.advance(20);
    assert.ok((won()?.remainingMs ?? 0) > 29_000);
    assert.equal(asked.length, 1);
    await time.advance("5s");
    won()?.assertHeld();
    assert.equal(won()?.signal.aborted, false);
  });

  it("ends with its claim where the store cannot be reached to extend it, before another holds the lock", async () => {
    const { time, state, release, won, other } = await waiting({ ttl: "30s" });
    state.away = true;
    await release();
    won()?.assertHeld();
    let next: Lease | undefined;
    void other.acquire("k", { wait: "1h" }).then((lease) => {
      assert.throws(() => won()?.assertHeld(), { code: "LEASE_LOST", why: "expired" });
      next = lease;
    });
    await time.advance(claimMs + 200);
    assert.ok(next && won()?.signal.aborted);
    assert.ok(next.fence > (won()?.fence ?? next.fence));
  });

  for (const [why, options] of [
    ["its ttl is no longer than a claim", { ttl: claimMs }],
    ["it is not to be renewed", { ttl: "30s", renew: false }],
    ["maxHold ends it soon", { ttl: "30s", maxHold: claimMs }],
  ] as const) {
    it(`is asked for first where ${why}`, async () => {
      const { asked, release, won } = await waiting(options);
      await release();
      won()?.assertHeld();
      assert.deepEqual(
        asked.map(({ op }) => op),
        ["acquire"],
      );
    });
  }

  it("is asked for first where its claim is almost over", async () => {
    const { time, state, asked, release, won, tell } = await waiting({ ttl: "30s" });
    state.holdsBack = state.away = true;
    await release();
    await time.advance((claimMs * 3) / 4);
    state.away = false;
    asked.length = 0;
    tell();
    await time.advance(0);
    won()?.assertHeld();
    assert.deepEqual(
      asked.map(({ op }) => op),
      ["acquire"],
    );
  });

  /** One whose grant is told to nobody until its claim has ended, and another has the lock. */
  async function untold() {
    const world = await waiting({ ttl: "30s" });
    world.state.holdsBack = world.state.away = true;
    await world.release();
    await world.time.advance(claimMs + 100);
    return { ...world, next: await world.other.acquire("k") };
  }

  it("is nothing once its claim has ended", async () => {
    const { time, won, tell, next } = await untold();
    tell();
    await time.advance(0);
    assert.equal(won(), undefined);
    next.assertHeld();
  });

  it("is nothing either where the waiter was refused since, however short that is ago", async () => {
    const { time, state, won, tell, next, asked } = await untold();
    state.away = false;
    while (asked.length === 0) await time.advance(100);
    tell();
    await time.advance(0);
    assert.equal(won(), undefined);
    state.holdsBack = false;
    await next.release();
    await time.advance(0);
    assert.ok((won()?.fence ?? 0n) > next.fence);
  });
});
