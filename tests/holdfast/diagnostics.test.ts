import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { connect, type OperationMessage } from "../../src/entries/index.ts";

/** What is published on the three channels while `fn` runs. */
async function listen(fn: () => Promise<void>): Promise<[string, OperationMessage][]> {
  const messages: [string, OperationMessage][] = [];
  const onMessage = (message: unknown, name: string | symbol): void => {
    messages.push([String(name), message as OperationMessage]);
  };
  const channels = ["holdfast:state", "holdfast:cache", "holdfast:lock"];
  for (const channel of channels) subscribe(channel, onMessage);
  try {
    await fn();
  } finally {
    for (const channel of channels) unsubscribe(channel, onMessage);
  }
  return messages;
}

describe("diagnostics", () => {
  it("tell of each call what it was and how it ended", async () => {
    const hf = await connect("memory:", { service: "shop" });
    const messages = await listen(async () => {
      const orders = hf.state<string>("orders");
      await orders.save("42", "value");
      await assert.rejects(orders.save("42", "value", { if: { absent: true } }), { code: "CONFLICT" });
      await orders.touch("42", "1h");
      await orders.has("42");
      await orders.count();
      for await (const key of orders.keys()) assert.equal(key, "42");
      await orders.take("42");
      await orders.deleteMany(["42"]);
      await orders.clear();
      const prices = hf.cache<string>("prices", { ttl: "5m" });
      await prices.set("k", "value");
      await prices.get("k");
      await prices.invalidateTags(["t"]);
      await prices.getEntry("k");
      await prices.touch("k", "1h");
      await prices.hasMany(["k"]);
      await prices.take("k");
      await prices.deleteMany(["k"]);
      await assert.rejects(
        prices.getOrSet("other", async () => Promise.reject(new Error("a value"))),
        /a value/,
      );
      const lease = await hf.lock("orders").tryAcquire("42");
      await lease?.extend("20s");
      for await (const holder of hf.lock("orders").list()) assert.equal(holder.key, "42");
      await lease?.release();
    });
    const told = messages.map(([channel, { operation, name, outcome }]) =>
      [channel, operation, name, outcome].join(" "),
    );
    for (const expected of [
      "holdfast:state save orders ok",
      "holdfast:state save orders CONFLICT",
      ...["touch", "has", "count", "keys", "take", "deleteMany", "clear"].map(
        (call) => `holdfast:state ${call} orders ok`,
      ),
      ...["getEntry", "touch", "hasMany", "take", "deleteMany"].map((call) => `holdfast:cache ${call} prices ok`),
      "holdfast:cache set prices ok",
      "holdfast:cache get prices ok",
      "holdfast:cache invalidateTags prices ok",
      "holdfast:cache getOrSet prices error",
      "holdfast:lock tryAcquire orders ok",
      "holdfast:lock extend orders ok",
      "holdfast:lock list orders ok",
      "holdfast:lock release orders ok",
    ]) {
      assert.ok(told.includes(expected), `${expected} in ${inspect(told)}`);
    }
    for (const [, message] of messages) {
      assert.deepEqual(Object.keys(message).sort(), [
        "backend",
        "durationMs",
        "name",
        "operation",
        "outcome",
        "service",
      ]);
      assert.deepEqual([message.service, message.backend], ["shop", "memory"]);
      assert.ok(message.durationMs >= 0);
      assert.doesNotMatch(inspect({ ...message, durationMs: 0 }), /value|42/);
    }
    await hf.close();
  });

  it("are not published when nobody listens any more", async () => {
    const hf = await connect("memory:");
    const messages = await listen(async () => undefined);
    await hf.cache("c", { ttl: "1m" }).get("k");
    assert.deepEqual(messages, []);
    await hf.close();
  });
});
