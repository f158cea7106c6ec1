import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Alarm, type Due } from "../../../src/backends/common/alarm.ts";
import { virtualTime } from "../../../src/testing/virtual-time.ts";
import { countingTime } from "../../support/counting-time.ts";

function world() {
  const time = virtualTime();
  const told: string[] = [];
  const counting = countingTime(time);
  const alarm = new Alarm<Due & { readonly name: string }>(counting, (item) => {
    alarm.delete(item);
    told.push(`${item.name} at ${time.monotonic()}`);
  });
  const add = (name: string, ms: number) => {
    const item = { name, deadline: time.monotonic() + ms };
    alarm.add(item);
    return item;
  };
  return { time, told, alarm, add, counting };
}

describe("an alarm", () => {
  it("tells each that is under way at its deadline, and never before", async () => {
    const { time, told, alarm, add } = world();
    add("late", 300);
    add("early", 100);
    add("with it", 100);
    await time.advance(99);
    assert.deepEqual(told, []);
    await time.advance(1);
    assert.deepEqual(new Set(told), new Set(["early at 100", "with it at 100"]));
    assert.equal(alarm.size, 1);
    await time.advance(1_000);
    assert.equal(told.at(-1), "late at 300");
    assert.equal(alarm.size, 0);
  });

  it("sets few timers for many that are over before", async () => {
    const { time, told, alarm, add, counting } = world();
    for (let i = 0; i < 1_000; i++) {
      alarm.delete(add("quick", 5_000));
      await time.advance(1);
    }
    assert.ok(counting.armed <= 2, `${counting.armed} timers`);
    add("one that hangs", 5_000);
    await time.advance(10_000);
    assert.deepEqual(told, ["one that hangs at 6000"]);
    const before = counting.armed;
    await time.advance(60_000);
    assert.equal(counting.armed, before, "and none when nothing is under way");
  });

  it("tells one that is added while others are told", async () => {
    const time = virtualTime();
    const told: number[] = [];
    const alarm = new Alarm<Due>(time, (item) => {
      alarm.delete(item);
      told.push(time.monotonic());
      if (told.length < 3) alarm.add({ deadline: item.deadline + 10 });
    });
    alarm.add({ deadline: 10 });
    await time.advance(100);
    assert.deepEqual(told, [10, 20, 30]);
  });
});
