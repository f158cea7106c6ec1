import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { space, type Key } from "../../../src/base/keys.ts";
import { Passing } from "../../../src/backends/redis/passing.ts";
import type { Holding, LockOperation, Outcome } from "../../../src/port/index.ts";
import { virtualTime } from "../../../src/testing/virtual-time.ts";
import { countingTime } from "../../support/counting-time.ts";

const key: Key = { space: space("lock", "", "n"), key: "k" };

function waiting(owner: string, claimMs = 60_000): LockOperation {
  return { op: "acquire", lock: key, owner, mode: "exclusive", ttl: 1_000, info: "", wait: { claimMs } };
}

function holds(...remaining: number[]): readonly Holding[] {
  return remaining.map((remainingMs, i) => ({ owner: `${i}`, mode: "exclusive", grant: 1, info: "", remainingMs }));
}

const held = (...remaining: number[]): Outcome => ({
  ok: false,
  why: "held",
  at: 0,
  state: { holders: holds(...remaining), waiting: 1 },
  ahead: 0,
});
const looked = (...remaining: number[]): Outcome => ({
  ok: true,
  results: [{ holders: holds(...remaining), waiting: 1 }],
});
const done: Outcome = { ok: true, results: [true] };
const inspect: LockOperation = { op: "inspect", lock: key };
const release = (owner: string): LockOperation => ({ op: "release", lock: key, owner });

function world() {
  const time = virtualTime();
  const looks: number[] = [];
  const passing = new Passing(time, () => looks.push(Math.round(time.monotonic() - startedAt)));
  const startedAt = time.monotonic();
  return { time, looks, passing };
}

describe("who looks at a lock on Redis when its time has come", () => {
  it("is who waits, when the hold ends, and again when it was prolonged", async () => {
    const { time, looks, passing } = world();
    passing.learned(waiting("a"), held(500, 200), 0);
    await time.advance(199);
    assert.deepEqual(looks, []);
    await time.advance(3);
    assert.deepEqual(looks, [201]);
    passing.learned(inspect, looked(300), 0);
    await time.advance(1_000);
    assert.equal(looks.length, 2);
  });

  it("is nobody any more once the waiter has it, left, or its claim ended", async () => {
    for (const [op, claimMs] of [
      [waiting("a"), 60_000],
      [release("a"), 60_000],
      [undefined, 100],
    ] as const) {
      const { time, looks, passing } = world();
      passing.learned(waiting("a", claimMs), held(200), 0);
      if (op) passing.learned(op, done, 0);
      await time.advance(300);
      assert.equal(looks.length, op ? 0 : 1);
      passing.learned(inspect, looked(100), 0);
      await time.advance(10_000);
      assert.equal(looks.length, op ? 0 : 1, "the last look was one for all");
    }
  });

  it("is who passed it on, once its claim has ended, and so on with the next", async () => {
    const { time, looks, passing } = world();
    passing.learned(release("a"), done, 100);
    await time.advance(110);
    assert.deepEqual(looks, [101]);
    passing.learned(inspect, looked(50), 50);
    await time.advance(110);
    assert.equal(looks.length, 2);
    passing.learned(inspect, looked(50), 0);
    await time.advance(10_000);
    assert.equal(looks.length, 2);
  });

  it("tries again after a look that failed, and never sooner than a few ms", async () => {
    const { time, looks, passing } = world();
    passing.learned(waiting("a"), held(0), 0);
    await time.advance(4);
    assert.deepEqual(looks, []);
    await time.advance(2);
    assert.equal(looks.length, 1);
    passing.failed(key);
    await time.advance(1_100);
    assert.equal(looks.length, 2);
  });

  it("has few timers, however many locks come and go, and however often one is passed on", () => {
    const counting = countingTime(virtualTime());
    const passing = new Passing(counting, () => assert.fail("nothing is due"));
    for (let i = 0; i < 1_000; i++) {
      passing.learned(waiting("a"), held(1_000 + i), 0);
      passing.learned(waiting("a"), done, 0);
    }
    assert.deepEqual([counting.live, counting.armed], [1, 1]);
    for (let i = 0; i < 1_000; i++) {
      const other = { space: key.space, key: `${i}` };
      passing.learned({ ...waiting("a"), lock: other }, held(1_000), 0);
      passing.learned({ ...waiting("a"), lock: other }, done, 0);
      assert.ok(counting.live <= 33, `${counting.live} timers`);
    }
    passing.close();
    assert.equal(counting.live, 0);
  });

  it("is nobody of a session that has ended", async () => {
    const { time, looks, passing } = world();
    passing.learned(waiting("a"), held(100), 0);
    passing.close();
    passing.learned(waiting("b"), held(100), 0);
    passing.learned(release("c"), done, 100);
    await time.advance(10_000);
    assert.deepEqual(looks, []);
  });
});
