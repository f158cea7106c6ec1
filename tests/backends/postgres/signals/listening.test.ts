import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { grantPayload } from "../../../../src/backends/postgres/signals/payloads.ts";
import { grantsName } from "../../../../src/backends/postgres/signals/channels.ts";
import { notice } from "../../../../src/backends/postgres/signals/telling.ts";
import { isHoldfastError } from "../../../../src/base/errors.ts";
import { space } from "../../../../src/base/keys.ts";
import { virtualTime } from "../../../../src/testing/virtual-time.ts";
import { FaultProxy } from "../../../support/fault-proxy.ts";
import { postgresUrl, type PostgresServer } from "../../../support/sql/postgres.ts";
import { sharedBouncer, sharedServer } from "../../../support/sql/shared.ts";
import { until, World } from "./support.ts";

describe("the connection that listens to Postgres", () => {
  it("carries messages of 32 KiB, and equal ones as often as they were published, in order", async (t) => {
    const world = await World.of(t);
    const heard = await Promise.all([1, 2].map(async () => world.listen({ topic: "t" })));
    const signals = world.hub.signalsOf("sender");
    const bodies = ["same", "same", "x".repeat(32 * 1_024), "same", "ä".repeat(16 * 1_024), "", "x".repeat(30_000)];
    for (const body of bodies) await signals.publish("t", body);
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) =>
        world.hub.signalsOf(`s${i}`).publish("t", String(i % 2).repeat(30_000)),
      ),
    );
    for (const one of heard) {
      await one.until("all", ({ messages }) => messages.length === bodies.length + 20);
      assert.deepEqual(one.messages.slice(0, bodies.length), bodies);
      assert.ok(one.messages.slice(bodies.length).every((body) => /^(?:0+|1+)$/.test(body) && body.length === 30_000));
      assert.equal(one.gaps, 0);
    }
  });

  it("tells a session of the grants to its waiters, and no other", async (t) => {
    const world = await World.of(t);
    const [mine, others] = [
      await world.listen({ grants: true }, "mine"),
      await world.listen({ grants: true }, "other"),
    ];
    const lock = { space: space("lock", "svc", "locks"), key: "k" };
    const channel = world.channels.of(grantsName("mine"));
    const payloads = [grantPayload(lock, { owner: "o", session: "mine", grant: 7 }), "nonsense", "7 b28= eA=="];
    for (const payload of payloads) await world.write({ text: notice, values: [[channel], [payload]] });
    await world.write({
      text: notice,
      values: [[channel], [grantPayload(lock, { owner: "p", session: "mine", grant: 8 })]],
    });
    await mine.until("both", ({ signals }) => signals.length === 2);
    assert.deepEqual(mine.signals[0], { type: "granted", lock, owner: "o", grant: 7 });
    assert.deepEqual(others.signals, []);
  });

  it("carries a thousand listeners, and what was unsubscribed from is not listened to", async (t) => {
    const world = await World.of(t);
    const topics = Array.from({ length: 1_000 }, (_, i) => `topic ${i}`);
    const heard = await Promise.all(topics.map(async (topic) => world.listen({ topic })));
    for (const i of [0, 500, 999]) await world.hub.signalsOf("s").publish(`topic ${i}`, String(i));
    for (const i of [0, 500, 999]) await heard[i]?.until("its message", ({ messages }) => messages[0] === String(i));
    assert.equal(heard.flatMap(({ signals }) => signals).length, 3);
    for (const one of heard) one.stop();
    const again = await world.listen({ topic: "topic 0" });
    await world.hub.signalsOf("s").publish("topic 0", "again");
    await again.until("it", ({ messages }) => messages.length === 1);
    assert.equal(heard[0]?.messages.length, 1);
  });

  it("comes back after the server has ended it, with a gap to all, and hears on", async (t) => {
    const world = await World.of(t);
    const heard = [await world.listen({ topic: "t" }), await world.watch(), await world.listen({ grants: true })];
    for (let round = 1; round <= 2; round++) {
      await world.killListeners();
      for (const one of heard) await one.until("the gap", ({ gaps }) => gaps === round);
      await world.hub.signalsOf("s").publish("t", `round ${round}`);
      await world.set([`round ${round}`]);
      await heard[0]?.until("the message", ({ messages }) => messages.includes(`round ${round}`));
      await heard[1]?.until("the change", ({ changed }) => changed.includes(`round ${round}`));
      assert.deepEqual(
        heard.map(({ gaps }) => gaps),
        [round, round, round],
      );
    }
  });

  it("is noticed to be dead when the network carries nothing, and tells a gap when it is back", async (t) => {
    const server = (await sharedServer("postgres15")) as PostgresServer;
    const proxy = await FaultProxy.start({ port: server.port });
    t.after(async () => proxy.close());
    const time = virtualTime();
    const world = await World.of(t, { time, listenUrl: postgresUrl(proxy.port) });
    const heard = await world.listen({ topic: "t" });
    for (const [i, fault] of (["silence", "cut"] as const).entries()) {
      if (fault === "silence") proxy.set({ kind: "silence" });
      else proxy.cut();
      await world.hub.signalsOf("s").publish("t", "lost");
      await until("another connection is made", async () => {
        await world.pass(time, 200);
        return heard.gaps === i + 1;
      });
      proxy.set({ kind: "none" });
      await world.hub.signalsOf("s").publish("t", fault);
      await heard.until("the message", ({ messages }) => messages.includes(fault));
    }
  });

  it("is refused where it leads through a pooler, or to another database, in time and with the remedy", async (t) => {
    const server = (await sharedServer("postgres15")) as PostgresServer;
    await server.query("DROP DATABASE IF EXISTS elsewhere", "CREATE DATABASE elsewhere");
    const wrong = [
      (await sharedBouncer("pgbouncer118")).url,
      (await sharedBouncer("pgbouncer126")).url,
      server.url.replace(/postgres$/, "elsewhere"),
    ];
    for (const listenUrl of wrong) {
      const world = await World.of(t, { listenUrl });
      await assert.rejects(world.listen({ topic: "t" }), (error) => {
        return isHoldfastError(error, "UNSUPPORTED") && error.message.includes("listenUrl");
      });
    }
  });

  it("may lead past a pooler that all else goes through", async (t) => {
    const server = (await sharedServer("postgres15")) as PostgresServer;
    for (const kind of ["pgbouncer118", "pgbouncer126"] as const) {
      const world = await World.of(t, { url: (await sharedBouncer(kind)).url, listenUrl: server.url });
      const heard = [await world.listen({ topic: "t" }), await world.watch()];
      await world.hub.signalsOf("s").publish("t", "x".repeat(30_000));
      await world.set(["a"]);
      await heard[0]?.until("the message", ({ messages }) => messages.length === 1);
      await heard[1]?.until("the change", ({ changed }) => changed.length === 1);
    }
  });
});
