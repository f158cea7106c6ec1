import assert from "node:assert/strict";
import { test } from "node:test";
import type { Time } from "../../src/base/time.ts";
import { Deadlines, lastWordMs } from "../../src/client/deadlines.ts";
import { virtualTime, type VirtualTime } from "../../src/testing/virtual-time.ts";
import { countingTime } from "../support/counting-time.ts";

/** A virtual clock under which deadlines share timers, as under that of the machine. */
function coarse(time: VirtualTime): Time {
  return {
    wall: () => time.wall(),
    monotonic: () => time.monotonic(),
    after: (ms, fn) => time.after(ms, fn),
  };
}

void test("under an exact clock a deadline is told at its time", async () => {
  const time = virtualTime();
  const told: number[] = [];
  for (const late of [undefined, lastWordMs(time)]) {
    const deadlines = new Deadlines(time, late);
    for (const deadline of [10, 16, 17, 5_000]) deadlines.add({ deadline, expire: () => void told.push(deadline) });
  }
  await time.advance(17);
  assert.deepEqual(told, [10, 10, 16, 16, 17, 17]);
  await time.advance(5_000 - 17);
  assert.deepEqual(told.slice(6), [5_000, 5_000]);
});

void test("a deadline is told at most a bucket late and never early, and not if it was taken back", async () => {
  const time = virtualTime();
  const deadlines = new Deadlines(coarse(time));
  const told: [number, number][] = [];
  const items = [10, 16, 17, 5_000, 5_001, 5_000].map((deadline) => ({
    deadline,
    expire: () => void told.push([deadline, time.monotonic()]),
  }));
  for (const item of items) deadlines.add(item);
  deadlines.delete(items[5] as (typeof items)[number]);
  await time.advance("6s");
  assert.deepEqual(
    told.map(([deadline]) => deadline),
    [10, 16, 17, 5_000, 5_001],
  );
  for (const [deadline, at] of told) assert.ok(at >= deadline && at < deadline + 17, `${deadline} was told at ${at}`);
});

void test("what is taken back while others of the same moment are told is not told", async () => {
  const time = virtualTime();
  const deadlines = new Deadlines(coarse(time));
  const told: string[] = [];
  const second = { deadline: 11, expire: () => void told.push("second") };
  const later = { deadline: 11, expire: () => void told.push("later") };
  const first = {
    deadline: 10,
    expire: () => {
      told.push("first");
      deadlines.delete(second);
      deadlines.add(later);
    },
  };
  for (const item of [first, second]) deadlines.add(item);
  await time.advance(100);
  assert.deepEqual(told, ["first", "later"]);
});

void test("calls that are over leave no timers behind, however long their timeouts are", () => {
  const time = virtualTime();
  let now = 0;
  const counting = countingTime({
    wall: () => time.wall(),
    monotonic: () => now,
    after: (ms, fn) => time.after(ms, fn),
  });
  const deadlines = new Deadlines(counting);
  const kept = { deadline: 86_400_000, expire: () => undefined };
  deadlines.add(kept);
  for (now = 0; now < 100_000; now += 10) {
    const items = [5_000, 86_400_000].map((timeout) => ({ deadline: now + timeout, expire: () => undefined }));
    for (const item of items) deadlines.add(item);
    for (const item of items) deadlines.delete(item);
    assert.ok(counting.live <= 34, `${counting.live} timers`);
  }
  deadlines.delete(kept);
});

void test("whoever is left a last word has it before the deadline is told, also where both are due at once", async () => {
  const time = virtualTime();
  const deadlines = new Deadlines(time, 10);
  const told: string[] = [];
  deadlines.add({ deadline: 6, expire: () => void told.push("the deadline") });
  time.after(16, () => void told.push("the last word"));
  await time.advance(16);
  assert.deepEqual(told, ["the last word", "the deadline"]);
});
