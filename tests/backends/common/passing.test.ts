import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Passing } from "../../../src/backends/common/passing.ts";
import { virtualTime } from "../../../src/testing/virtual-time.ts";
import { countingTime } from "../../support/counting-time.ts";

function world() {
  const time = virtualTime();
  const due: string[] = [];
  const counting = countingTime(time);
  const passing = new Passing(counting, (locks) => due.push(`${time.monotonic()}: ${locks.join(" ")}`));
  return { time, due, passing, counting };
}

describe("locks that pass on by time", () => {
  it("hands over each once, a moment after its time, those of one moment together", async () => {
    const { time, due, passing } = world();
    passing.plan("a", 10);
    passing.plan("b", 20);
    passing.plan("c", 10);
    passing.plan("over", -5);
    await time.advance(100);
    assert.deepEqual(due, ["1: over", "11: a c", "21: b"]);
  });

  it("goes by the last plan of a lock, and forgets what it is told to", async () => {
    const { time, due, passing } = world();
    passing.plan("later", 10);
    passing.plan("later", 50);
    passing.plan("sooner", 50);
    passing.plan("sooner", 10);
    passing.plan("gone", 10);
    passing.forget("gone");
    await time.advance(30);
    passing.plan("again", 30);
    await time.advance(100);
    assert.deepEqual(due, ["11: sooner", "51: later", "61: again"]);
    passing.plan("a", 10);
    passing.clear();
    await time.advance(100);
    assert.equal(due.length, 3);
  });

  it("sets few timers for a lock that is planned again and again", async () => {
    const { time, due, passing, counting } = world();
    for (let i = 0; i < 1_000; i++) {
      passing.plan("hot", 5_000);
      await time.advance(1);
    }
    assert.ok(counting.armed <= 3, `${counting.armed} timers`);
    assert.deepEqual(due, []);
  });
});
