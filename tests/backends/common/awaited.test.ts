import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { UnavailableError } from "../../../src/base/errors.ts";
import { Awaited } from "../../../src/backends/common/awaited.ts";
import { StoppedTime } from "../../support/stopped-time.ts";

const never = { done: () => false, failed: () => undefined, problem: () => undefined };

void describe("pending callers of a connection", () => {
  void it("go on when it is there, or will never be", async () => {
    const time = new StoppedTime();
    const awaited = new Awaited("test", time, 10);
    const is: { done: boolean; failed?: UnavailableError } = { done: false };
    const asks = { ...never, done: () => is.done, failed: () => is.failed };
    const one = awaited.wait(100, asks);
    awaited.look();
    assert.equal(time.timers.size, 1);
    is.done = true;
    awaited.look();
    await one;
    await awaited.wait(100, asks);
    is.done = false;
    const two = awaited.wait(100, asks);
    const failed = new UnavailableError("closed", { backend: "test" });
    is.failed = failed;
    awaited.look();
    await assert.rejects(two, failed);
    await assert.rejects(awaited.wait(100, asks), failed);
    assert.equal(time.timers.size, 0);
  });

  void it("wait until their deadlines, and are told what is in the way", async () => {
    const time = new StoppedTime();
    const awaited = new Awaited("test", time, 10);
    const problem = new UnavailableError("refused", { backend: "test", refused: true });
    const one = awaited.wait(100, { ...never, problem: () => problem });
    const two = awaited.wait(200, never);
    time.run(100);
    await assert.rejects(one, { code: "UNAVAILABLE", backend: "test", refused: true, cause: problem });
    time.run(200);
    await assert.rejects(two, { message: "no connection within the time given" });
  });

  void it("are so many at the most", async () => {
    const time = new StoppedTime();
    const awaited = new Awaited("test", time, 2);
    const waiting = [awaited.wait(100, never), awaited.wait(100, never)];
    await assert.rejects(awaited.wait(100, never), /2 callers wait for one already/);
    time.run(100);
    await Promise.allSettled(waiting);
    const next = awaited.wait(100, never);
    time.run(100);
    await assert.rejects(next, /within the time given/);
  });
});
