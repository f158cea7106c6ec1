import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DueQueue, type Scheduled } from "../../../src/backends/common/due-queue.ts";
import { virtualTime } from "../../../src/testing/virtual-time.ts";

interface Item extends Scheduled {
  readonly name: number;
  until: number;
}

function setUp() {
  const time = virtualTime();
  const visited: { readonly name: number; readonly at: number }[] = [];
  const queue: DueQueue<Item> = new DueQueue(
    time,
    () => time.monotonic(),
    (item, now) => {
      if (item.until > now) queue.schedule(item, item.until);
      else visited.push({ name: item.name, at: now });
    },
  );
  queue.resume();
  const item = (name: number, until: number): Item => ({ name, until, queuedAt: Infinity });
  return { time, visited, queue, item };
}

describe("the queue of what expires", () => {
  it("visits each item once, at its time, however often it was put off, brought forward or cancelled", async () => {
    const step = fc.record({
      name: fc.nat(5),
      ms: fc.integer({ min: 1, max: 50 }),
      what: fc.constantFrom("schedule", "cancel", "wait"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { time, visited, queue, item } = setUp();
        const items = Array.from({ length: 6 }, (_, name) => item(name, Infinity));
        const expected: { name: number; at: number }[] = [];
        const pending = new Map<number, number>();
        const wait = async (ms: number): Promise<void> => {
          const end = time.monotonic() + ms;
          for (const [name, at] of pending) {
            if (at > end) continue;
            expected.push({ name, at });
            pending.delete(name);
          }
          await time.advance(ms);
        };
        for (const { name, ms, what } of steps) {
          const one = items[name] as Item;
          if (what === "wait") await wait(ms);
          else if (what === "cancel") {
            queue.cancel(one);
            pending.delete(name);
          } else {
            one.until = time.monotonic() + ms;
            queue.schedule(one, one.until);
            pending.set(name, one.until);
          }
        }
        await wait(1_000);
        const byTime = (a: { name: number; at: number }, b: { name: number; at: number }): number =>
          a.at - b.at || a.name - b.name;
        assert.deepEqual(visited.toSorted(byTime), expected.toSorted(byTime));
        assert.equal(queue.size, 0);
      }),
      { numRuns: 150 },
    );
  });

  it("visits in the order of the times", async () => {
    const { time, visited, queue, item } = setUp();
    for (const at of [5, 1, 4, 2, 3, 9, 7, 8, 6]) queue.schedule(item(at, at), at);
    await time.advance(20);
    assert.deepEqual(
      visited.map(({ name, at }) => [name, at]),
      [1, 2, 3, 4, 5, 6, 7, 8, 9].map((at) => [at, at]),
    );
  });

  it("stays small when items come and go", () => {
    const { queue, item } = setUp();
    const kept = Array.from({ length: 100 }, (_, i) => item(i, 1e9));
    for (const one of kept) queue.schedule(one, 1e9);
    for (let i = 0; i < 50_000; i++) {
      const one = item(i, 1e6);
      queue.schedule(one, 1e6);
      queue.cancel(one);
    }
    assert.ok(queue.size < 2_000, `${queue.size} entries for 100 items`);
    assert.ok(kept.every((one) => one.queuedAt === 1e9));
  });

  it("costs nothing to put off what is queued", () => {
    const { queue, item } = setUp();
    const one = item(1, 1);
    for (let at = 1; at < 1_000; at++) queue.schedule(one, at);
    assert.equal(queue.size, 1);
  });

  it("visits a bounded number in one step, and the rest in the next ones", async () => {
    const { time, visited, queue, item } = setUp();
    for (let i = 0; i < 2_500; i++) queue.schedule(item(i, 10), 10);
    await time.advance(10);
    assert.equal(visited.length, 1_000);
    await time.advance(2);
    assert.equal(visited.length, 2_500);
  });

  it("stops its timer while it is paused", async () => {
    const { time, visited, queue, item } = setUp();
    queue.schedule(item(1, 10), 10);
    queue.pause();
    await time.advance(100);
    assert.equal(visited.length, 0);
    queue.resume();
    await time.advance(1);
    assert.equal(visited.length, 1);
  });
});
