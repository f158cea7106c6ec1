import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isHoldfastError } from "../../src/base/errors.ts";
import { virtualTime } from "../../src/testing/virtual-time.ts";

describe("virtual time", () => {
  it("stands still until it is advanced, both clocks by as much", async () => {
    const time = virtualTime({ wall: 1_000 });
    assert.deepEqual([time.wall(), time.monotonic()], [1_000, 0]);
    await time.advance("1.5s");
    assert.deepEqual([time.wall(), time.monotonic()], [2_500, 1_500]);
  });

  it("runs timers in their order, each at its own time, the earlier set first", async () => {
    const time = virtualTime();
    const ran: unknown[] = [];
    for (const [name, ms] of [
      ["c", 30],
      ["a", 10],
      ["b1", 20],
      ["b2", 20],
      ["late", 31],
    ] as const) {
      time.after(ms, () => ran.push([name, time.monotonic()]));
    }
    await time.advance(30);
    assert.deepEqual(ran, [
      ["a", 10],
      ["b1", 20],
      ["b2", 20],
      ["c", 30],
    ]);
    await time.advance(1);
    assert.equal(ran.length, 5);
  });

  it("runs timers that timers set, and what promises wait for in between", async () => {
    const time = virtualTime();
    const ran: string[] = [];
    const sleep = async (ms: number): Promise<void> => new Promise((resolve) => void time.after(ms, resolve));
    const work = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        await sleep(10);
        await new Promise((resolve) => setImmediate(resolve));
        ran.push(`${i}@${time.monotonic()}`);
      }
    };
    const done = work();
    await time.advance(49);
    assert.deepEqual(ran, ["0@10", "1@20", "2@30", "3@40"]);
    await time.advance(1);
    await done;
  });

  it("does not run what was cleared, also by a timer before it", async () => {
    const time = virtualTime();
    const second = { clear: (): void => undefined };
    time.after(1, () => second.clear());
    Object.assign(
      second,
      time.after(2, () => assert.fail("was cleared")),
    );
    time.after(1, () => assert.fail("was cleared")).clear();
    await time.advance(5);
  });

  it("takes one advance after the other", async () => {
    const time = virtualTime();
    const seen: number[] = [];
    time.after(15, () => seen.push(time.monotonic()));
    await Promise.all([time.advance(10), time.advance(10)]);
    assert.equal(time.monotonic(), 20);
    assert.deepEqual(seen, [15]);
  });

  it("rejects with the error of a timer, and goes on after it", async () => {
    const time = virtualTime();
    time.after(1, () => {
      throw new Error("a bug of the timer");
    });
    await assert.rejects(time.advance(5), /a bug of the timer/);
    await time.advance(5);
    assert.ok(time.monotonic() >= 5);
    await assert.rejects(time.advance(-1), (error) => isHoldfastError(error, "INVALID_ARGUMENT"));
  });
});
