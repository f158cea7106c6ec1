import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemTime, type Time } from "../../../src/base/time.ts";
import { storeBackend } from "../../../src/backends/store/index.ts";
import type { Backend, LockState, Operation, Outcome } from "../../../src/port/index.ts";
import { acquire, ask, lock } from "./asking.ts";
import { CellServer } from "./memory-store.ts";

const hour = 3_600_000;

/** A server, and processes with clocks of their own that say what they like, and go at one speed. */
class Scene {
  #now = 1_700_000_000_000;
  readonly server: CellServer;

  /** The server forgets that much later than it may. */
  constructor(lag = hour) {
    this.server = new CellServer({ atomic: "any", clock: "none", time: this.#clock(0, 0), lag });
  }

  /** A backend of another process, whose wall clock is ahead by so many ms. */
  process(ahead: number): Backend {
    const time = this.#clock(ahead, Math.random() * 1e9);
    return storeBackend({ name: "cells", store: this.server.store(time), time });
  }

  pass(ms: number): void {
    this.#now += ms;
  }

  #clock(ahead: number, begun: number): Time {
    return { ...systemTime, wall: () => this.#now + ahead, monotonic: () => this.#now - 1_699_000_000_000 + begun };
  }
}

const waiting = (owner: string, claimMs: number): Operation => {
  return { ...acquire(owner, 1_000), wait: { claimMs } } as Operation;
};

async function granted(backend: Backend, op: Operation): Promise<number> {
  const outcome = await ask(backend, { ops: [op] });
  assert.ok(outcome.ok, JSON.stringify(outcome));
  return (outcome.results[0] as { grant: number }).grant;
}

async function held(backend: Backend, op: Operation): Promise<LockState> {
  const outcome = await ask(backend, { ops: [op] });
  assert.ok(!outcome.ok && outcome.why === "held", JSON.stringify(outcome));
  return outcome.state;
}

describe("locks of a server that has no clock", () => {
  for (const ahead of [-hour, 0, hour]) {
    it(`are taken over after as long as they last, by a process whose clock is ahead by ${ahead} ms`, async () => {
      const scene = new Scene();
      const [one, other] = [scene.process(0), scene.process(ahead)];
      const grant = await granted(one, acquire("one", 10_000));
      scene.pass(5_000);
      const { holders } = await held(other, acquire("other", 10_000));
      assert.ok(holders[0] && holders[0].remainingMs >= 9_999 && holders[0].remainingMs <= 10_000, "seen first now");
      assert.ok(await granted(one, { op: "extend", lock, owner: "one", grant, ttl: 10_000 }));
      scene.pass(9_999);
      await held(other, acquire("other", 10_000));
      scene.pass(9_999);
      await held(other, acquire("other", 10_000));
      scene.pass(1);
      assert.ok((await granted(other, acquire("other", 10_000))) > grant);
      const fenced = await ask(one, { guards: [{ lock, owner: "one", grant }], ops: [{ op: "inspect", lock }] });
      assert.ok(!fenced.ok && fenced.why === "fenced");
    });
  }

  it("end in time, however often others write in between who have just come", async () => {
    const scene = new Scene();
    const [one, other] = [scene.process(0), scene.process(0)];
    await granted(one, acquire("one", 5_000));
    await held(other, acquire("other", 5_000));
    for (let i = 0; i < 9; i++) {
      scene.pass(500);
      await held(scene.process(i), waiting(`guest ${i}`, 400));
      await held(other, acquire("other", 5_000));
    }
    scene.pass(500);
    await granted(other, acquire("other", 5_000));
  });

  it("are free for a process that comes once the server has forgotten them, whoever waited, and fences rise", async () => {
    const scene = new Scene(0);
    const grant = await granted(scene.process(hour), acquire("one", 5_000));
    for (let i = 0; i < 4; i++) {
      await held(scene.process(-hour), waiting(`guest ${i}`, 60_000));
      scene.pass(1_250);
    }
    scene.pass(10_000); // it is kept a while for those who have waited
    const next = await granted(scene.process(-hour), acquire("two", 5_000));
    assert.ok(next > grant);
    const last = scene.process(0);
    scene.pass(10 * hour);
    assert.ok((await granted(last, acquire("three", 5_000))) > next);
  });

  it("that are handed on end in time for whoever sees that later", async () => {
    const scene = new Scene();
    const [one, two, three] = [scene.process(0), scene.process(hour), scene.process(-hour)];
    await granted(one, acquire("one", 60_000));
    await held(two, waiting("two", 2_000));
    const released: Outcome = await ask(one, { ops: [{ op: "release", lock, owner: "one" }] });
    assert.ok(released.ok);
    scene.pass(1_500);
    await held(three, waiting("three", 30_000));
    scene.pass(600);
    await held(three, waiting("three", 30_000));
    assert.ok(await granted(two, acquire("two", 1_000)), "nobody else counts on that it has ended");
    scene.pass(1_000);
    await held(three, waiting("three", 30_000));
    scene.pass(1_000);
    await granted(three, acquire("three", 1_000));
  });
});
