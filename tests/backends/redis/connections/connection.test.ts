import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InvalidArgumentError } from "../../../../src/base/errors.ts";
import type { Time } from "../../../../src/base/time.ts";
import { Connection } from "../../../../src/backends/redis/connections/connection.ts";

/** A clock that stands still, and timers that run when they are told to. */
class StoppedTime implements Time {
  readonly timers = new Map<object, { readonly ms: number; readonly fn: () => void }>();

  wall(): number {
    return 0;
  }

  monotonic(): number {
    return 0;
  }

  after(ms: number, fn: () => void): { clear(): void } {
    const timer = { clear: (): void => void this.timers.delete(timer) };
    this.timers.set(timer, { ms, fn });
    return timer;
  }

  /** Runs the only timer that is set, and says how long it was. */
  run(): number {
    assert.equal(this.timers.size, 1);
    const [[key, { ms, fn }]] = [...this.timers] as [[object, { readonly ms: number; readonly fn: () => void }]];
    this.timers.delete(key);
    fn();
    return ms;
  }
}

void describe("a connection that is refused for good", () => {
  void it("is tried again after long pauses, as long as it has to persist", async () => {
    const time = new StoppedTime();
    let attempts = 0;
    let persists = true;
    let changed: () => void = () => undefined;
    const failed = async (): Promise<void> => new Promise((resolve) => (changed = resolve));
    const connection = new Connection({
      time,
      role: "subscriptions",
      hide: (text) => text,
      connectTimeout: 60_000,
      endpoint: () => ({ host: "nowhere", port: 1 }),
      dial: async () => {
        attempts++;
        throw new InvalidArgumentError("refused", { backend: "redis" });
      },
      persists: () => persists,
      changed: () => changed(),
    });
    let next = failed();
    connection.start();
    await next;
    for (let i = 1; i <= 5; i++) {
      assert.equal(attempts, i);
      assert.ok(connection.hopeless, "nobody has to wait for it");
      next = failed();
      const ms = time.run();
      assert.ok(ms >= 1_000 && ms <= 2_000, `${ms} ms`);
      await next;
    }
    persists = false;
    time.run();
    assert.deepEqual([attempts, time.timers.size], [6, 0]);
    connection.close();
  });
});
