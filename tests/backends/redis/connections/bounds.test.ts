import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deferred } from "../../../../src/base/async.ts";
import { askOnce } from "../../../../src/backends/redis/connections/ask-once.ts";
import { Connection } from "../../../../src/backends/redis/connections/connection.ts";
import type { NodeRedisClient } from "../../../../src/backends/redis/connections/driver.ts";
import { Live } from "../../../../src/backends/redis/connections/live.ts";
import { NodeRedisWire } from "../../../../src/backends/redis/connections/node-redis.ts";
import { Subscriptions } from "../../../../src/backends/redis/connections/subscriptions.ts";
import type { Wire } from "../../../../src/backends/redis/connections/wire.ts";
import { RedisFailure } from "../../../../src/backends/redis/router.ts";
import { StoppedTime } from "../../../support/stopped-time.ts";

// Nothing waits without end, is kept without use or is lost in silence, whatever a driver does.

const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const endpoint = { host: "127.0.0.1", port: 1 };

/** A wire that answers everything, but for what a test says. */
function fakeWire(parts: Partial<Wire> = {}): Wire & { readonly closed: () => number } {
  let closed = 0;
  return {
    open: async () => undefined,
    send: async () => "OK",
    subscribe: async () => undefined,
    unsubscribe: async () => undefined,
    unsent: () => false,
    hold: () => undefined,
    close: () => void closed++,
    ...parts,
    closed: () => closed,
  };
}

void describe("a wire that a driver gives too late", () => {
  void it("is closed, and the attempt to connect has ended by its time", async () => {
    const time = new StoppedTime();
    const made = deferred<Wire>();
    const changed = deferred<void>();
    const connection = new Connection({
      time,
      role: "commands",
      hide: (text) => text,
      connectTimeout: 5_000,
      endpoint: () => endpoint,
      dial: async () => made.promise,
      changed: () => changed.resolve(),
    });
    connection.start();
    await turn();
    assert.equal(time.run(5_000), 1);
    await changed.promise;
    assert.match(String(connection.problem), /no answer within 5000 ms/);
    const wire = fakeWire();
    made.resolve(wire);
    await turn();
    assert.equal(wire.closed(), 1);
    connection.close();
  });

  void it("is closed, and a question has ended by its time", async () => {
    const time = new StoppedTime();
    const made = deferred<Wire>();
    const common = { time, hide: (text: string) => text, connectTimeout: 5_000, dial: async () => made.promise };
    const asked = askOnce(common, endpoint, "sentinels", ["PING"]);
    await turn();
    assert.equal(time.run(2_500), 1);
    await assert.rejects(asked, /no answer within 2500 ms/);
    const wire = fakeWire();
    made.resolve(wire);
    await turn();
    assert.equal(wire.closed(), 1);
  });
});

void describe("what a driver throws", () => {
  void it("is the failure of its command, and the next one goes on", async () => {
    let broken = true;
    const wire = fakeWire({
      send: () => {
        if (broken) throw new TypeError("callBuffer is not a function");
        return Promise.resolve("OK");
      },
    });
    const events = { silent: (): void => undefined, replica: (): void => undefined };
    const live = new Live(wire, new StoppedTime(), (text) => text, true, events);
    await assert.rejects(
      live.send(["PING"]),
      (error) => error instanceof RedisFailure && /callBuffer/.test(error.message),
    );
    broken = false;
    assert.equal(await live.send(["PING"]), "OK");
    live.retire(1_000);
    assert.equal(wire.closed(), 1, "nothing is pending");
  });
});

void describe("a subscription", () => {
  async function subscribed(time: StoppedTime, wires: readonly Wire[]): Promise<Subscriptions> {
    let next = 0;
    const subscriptions = new Subscriptions(
      { message: () => undefined, gap: () => undefined },
      {
        time,
        hide: (text) => text,
        connectTimeout: 5_000,
        maxWaiting: 10,
        endpoint: () => endpoint,
        dial: async () => wires[next++] as Wire,
      },
    );
    await subscriptions.subscribe("channel", "first", 1_000);
    return subscriptions;
  }

  void it("goes on looking whether its server is there after a PING that is not allowed", async () => {
    const time = new StoppedTime();
    let pings = 0;
    const wire = fakeWire({
      send: async ([name]) => {
        if (name !== "PING") return "OK";
        pings++;
        throw new Error("NOPERM this user has no permissions to run the 'ping' command");
      },
    });
    const subscriptions = await subscribed(time, [wire]);
    for (let i = 1; i <= 3; i++) {
      assert.equal(time.run(4_000), 1);
      await turn();
      assert.equal(pings, i);
    }
    subscriptions.close();
  });

  void it("that a driver does not make is made on a new connection", async () => {
    const time = new StoppedTime();
    const broken = fakeWire({
      subscribe: async (_kind, name) => {
        if (name !== "first") throw new TypeError("it is not to be");
      },
    });
    const subscriptions = await subscribed(time, [broken, fakeWire()]);
    const second = subscriptions.subscribe("channel", "second", 1_000);
    await turn();
    // The pause before the next attempt.
    const pause = [...time.timers.values()].find(({ ms }) => ms <= 50)?.ms ?? 0;
    assert.equal(time.run(pause), 1);
    await second;
    assert.equal(broken.closed(), 1);
    subscriptions.close();
  });

  void it("that is refused leaves nothing behind", async () => {
    const asked: string[] = [];
    const client = {
      on: () => undefined,
      unref: () => undefined,
      subscribe: async () => {
        throw new Error("NOPERM");
      },
      unsubscribe: async (name: string) => void asked.push(name),
    } as unknown as NodeRedisClient;
    const wire = new NodeRedisWire(client, () => undefined);
    const listener = (): void => undefined;
    await assert.rejects(wire.subscribe("channel", "a", listener), /NOPERM/);
    await wire.unsubscribe("channel", "a", listener);
    assert.deepEqual(asked, [], "it is not known any more");
  });
});
