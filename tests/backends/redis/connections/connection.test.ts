import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deferred } from "../../../../src/base/async.ts";
import { InvalidArgumentError } from "../../../../src/base/errors.ts";
import { Connection } from "../../../../src/backends/redis/connections/connection.ts";
import type { Endpoint } from "../../../../src/backends/redis/connections/wire.ts";
import { StoppedTime } from "../../../support/stopped-time.ts";

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
      const ms = time.runOnly();
      assert.ok(ms >= 1_000 && ms <= 2_000, `${ms} ms`);
      await next;
    }
    persists = false;
    time.runOnly();
    assert.deepEqual([attempts, time.timers.size], [6, 0]);
    connection.close();
  });
});

void describe("a connection that is not there in time", () => {
  void it("tells where it was looked for, also before the first attempt has ended", async () => {
    const found = deferred<Endpoint>();
    const connection = new Connection({
      time: new StoppedTime(),
      role: "commands",
      hide: (text) => text,
      connectTimeout: 60_000,
      endpoint: () => found.promise,
      dial: async () => new Promise(() => undefined),
      changed: () => undefined,
    });
    assert.equal(connection.problem, undefined);
    connection.start();
    assert.match(String(connection.problem), /where the server is was not found out yet/);
    found.resolve({ host: "nowhere", port: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    assert.match(String(connection.problem), /nowhere:1 has not answered yet/);
    connection.close();
  });
});
