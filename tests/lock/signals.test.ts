import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { UnavailableError } from "../../src/base/errors.ts";
import { Instance } from "../../src/client/index.ts";
import { Lock } from "../../src/lock/index.ts";
import type { Backend, Outcome, Session, Signal, Signals } from "../../src/port/index.ts";
import { virtualTime } from "../../src/testing/virtual-time.ts";

/** A server, and an instance on it whose signals are in the test's hands; `answered` runs before a reply is told. */
function setUp(signals: (own: Signals) => Signals, answered?: (outcomes: readonly Outcome[]) => Promise<void>) {
  const time = virtualTime();
  const server = new MemoryServer({ time });
  const backend = memoryBackend({ server });
  const handled: Backend = {
    name: backend.name,
    time,
    open: async () => backend.open(),
    close: async () => backend.close(),
    session(): Session {
      const session = backend.session();
      return {
        id: session.id,
        signals: signals(session.signals as Signals),
        async execute(groups, call) {
          const outcomes = await session.execute(groups, call);
          await answered?.(outcomes);
          return outcomes;
        },
        page: async (query, call) => session.page(query, call),
        close: async () => session.close(),
      };
    },
  };
  const instance = new Instance(handled);
  return {
    time,
    instance,
    lock: new Lock(instance, "locks"),
    other: new Lock(new Instance(memoryBackend({ server })), "locks"),
  };
}

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
    const { time, lock, other } = setUp(
      (own) => own,
      async ([outcome]) => {
        if (outcome?.ok !== false || outcome.why !== "held" || !overtaken) return;
        const release = overtaken;
        overtaken = undefined;
        await release();
        await new Promise(setImmediate);
      },
    );
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
