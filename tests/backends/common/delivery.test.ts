import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { space } from "../../../src/base/keys.ts";
import { Bus } from "../../../src/backends/common/bus.ts";
import { Delivery, type Listening } from "../../../src/backends/common/delivery.ts";
import type { Signal } from "../../../src/port/index.ts";

const message = (body: string): Signal => ({ type: "message", body });

describe("delivery of signals", () => {
  it("tells one at a time, in order, and not inside of what is told", async () => {
    const delivery = new Delivery();
    const told: string[] = [];
    let inside = false;
    const listening = (name: string): Listening => ({
      live: true,
      listener: (signal) => {
        assert.equal(inside, false);
        inside = true;
        told.push(`${name} ${signal.type === "message" ? signal.body : ""}`);
        if (told.length === 1) delivery.tell(b, message("from inside"));
        inside = false;
      },
    });
    const a = listening("a");
    const b = listening("b");
    delivery.tell(a, message("1"));
    delivery.tell(b, message("2"));
    assert.deepEqual(told, []);
    await Promise.resolve();
    assert.deepEqual(told, ["a 1", "b 2", "b from inside"]);
  });

  it("tells the others though one throws, whose error is uncaught, and nobody who has left", async () => {
    const delivery = new Delivery();
    const told: string[] = [];
    const uncaught = new Promise<unknown>((resolve) => {
      const earlier = process.rawListeners("uncaughtException");
      process.removeAllListeners("uncaughtException");
      process.once("uncaughtException", (error) => {
        for (const one of earlier) process.on("uncaughtException", one as () => void);
        resolve(error);
      });
    });
    const thrown = new Error("of the listener");
    const bad: Listening = {
      live: true,
      listener: () => {
        throw thrown;
      },
    };
    const good: Listening = { live: true, listener: () => void told.push("good") };
    const gone: Listening = { live: true, listener: () => void told.push("gone") };
    for (const to of [bad, good, gone]) delivery.tell(to, message(""));
    gone.live = false;
    assert.equal(await uncaught, thrown);
    await new Promise((resolve) => void setImmediate(resolve));
    assert.deepEqual(told, ["good"]);
  });
});

describe("the bus of a process", () => {
  it("carries changes by prefix, messages by topic, and grants to their session", async () => {
    const bus = new Bus();
    const told: unknown[] = [];
    const records = space("state", "s", "records");
    const lock = { space: space("lock", "s", "locks"), key: "l" };
    const ends = [
      bus.join("one", { changes: records, prefix: "a" }, (signal) => told.push(signal)),
      bus.join("one", { topic: "t" }, (signal) => told.push(signal)),
      bus.join("one", { grants: true }, (signal) => told.push(signal)),
    ];
    const tell = async (): Promise<void> => {
      bus.changed(records, "ab");
      bus.changed(records, "b");
      bus.changed(space("state", "s", "others"), "ab");
      bus.publish("t", "hello");
      bus.publish("u", "hello");
      bus.granted("one", lock, "o", 7);
      bus.granted("two", lock, "o", 7);
      await Promise.resolve();
    };
    await tell();
    assert.deepEqual(told, [
      { type: "changed", key: { space: records, key: "ab" } },
      { type: "message", body: "hello" },
      { type: "granted", lock, owner: "o", grant: 7 },
    ]);
    for (const end of ends) end();
    await tell();
    assert.equal(told.length, 3);
  });
});
