import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { FaultProxy } from "../../../support/fault-proxy.ts";
import { startRedis, type RedisServer } from "../../../support/redis/server.ts";
import { command, fasterTime, Heard, rejectsWith, Routers, soon } from "./support.ts";

const routers = new Routers();
afterEach(async () => routers.close());

void describe("subscriptions on one server", () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  let url: string;
  before(async () => {
    server = await startRedis({ kind: "redis", users: ["user few on >few ~* &few:* +@all"] });
    proxy = await FaultProxy.start({ port: server.port });
    url = `redis://127.0.0.1:${proxy.port}`;
  });
  afterEach(() => proxy.set({ kind: "none" }));
  after(async () => {
    await proxy.close();
    await server.stop();
  });

  void it("is live when it resolves, and silent when it was ended", async () => {
    const router = await routers.ready(url);
    const heard = new Heard();
    const subscriber = router.subscriber(heard);
    await Promise.all([subscriber.subscribe("a", soon()), subscriber.subscribePattern("p:*", soon())]);
    await command(router, "PUBLISH", "a", "1");
    await command(router, "PUBLISH", "p:x", Buffer.from("2"));
    await command(router, "PUBLISH", "other", "3");
    await heard.until(() => heard.messages.length === 2);
    subscriber.unsubscribe("a");
    subscriber.unsubscribePattern("p:*");
    // The same again at once: the server must not end what was just begun.
    await subscriber.subscribe("a", soon());
    await command(router, "PUBLISH", "p:x", "4");
    await command(router, "PUBLISH", "a", "5");
    await heard.until(() => heard.messages.length === 3);
    assert.deepEqual(heard.messages, [
      { channel: "a", body: "1", pattern: undefined },
      { channel: "p:x", body: "2", pattern: "p:*" },
      { channel: "a", body: "5", pattern: undefined },
    ]);
    assert.equal(heard.gaps, 0);
  });

  void it("is there again after a loss, and tells of the gap", async () => {
    const router = await routers.ready(url);
    const heard = new Heard();
    const subscriber = router.subscriber(heard);
    await subscriber.subscribe("a", soon());
    await subscriber.subscribePattern("p:*", soon());
    for (let i = 1; i <= 3; i++) {
      proxy.cut();
      await heard.until(() => heard.gaps === i);
      await router.ready(soon());
      await command(router, "PUBLISH", "a", `${i}`);
      await command(router, "PUBLISH", "p:x", `${i}`);
      await heard.until(() => heard.messages.length === 2 * i);
    }
  });

  void it("finds out that its connection is dead though nothing is pending", async () => {
    const router = routers.make(url, fasterTime(8));
    await router.ready(soon() * 8);
    const heard = new Heard();
    await router.subscriber(heard).subscribe("a", soon() * 8);
    proxy.set({ kind: "black-hole" });
    const accepted = proxy.accepted;
    while (proxy.accepted === accepted) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(heard.gaps, 0, "it cannot be back yet");
    proxy.set({ kind: "none" });
    await heard.until(() => heard.gaps === 1);
    await router.ready(soon() * 8);
    await command(router, "PUBLISH", "a", "1");
    await heard.until(() => heard.messages.length > 0);
  });

  void it("stays through silence while the server answers", async () => {
    const router = routers.make(url, fasterTime(10));
    await router.ready(soon() * 10);
    const heard = new Heard();
    await router.subscriber(heard).subscribe("a", soon() * 10);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    assert.equal(heard.gaps, 0);
    await command(router, "PUBLISH", "a", "1");
    await heard.until(() => heard.messages.length === 1);
  });

  void it("says no at its deadline, and where the user may not", async () => {
    const down = routers.make("redis://127.0.0.1:1");
    await rejectsWith("UNAVAILABLE", /within the time given/, down.subscriber(new Heard()).subscribe("a", soon(100)));
    const few = await routers.ready(`redis://few:few@127.0.0.1:${server.port}`);
    const heard = new Heard();
    const subscriber = few.subscriber(heard);
    await subscriber.subscribe("few:1", soon());
    const says = /NOPERM .*; allow \+subscribe &many:\*$/;
    await rejectsWith("UNSUPPORTED", says, subscriber.subscribe("many:1", soon()));
    await rejectsWith("UNSUPPORTED", says, subscriber.subscribe("many:1", soon()));
    await rejectsWith(
      "UNSUPPORTED",
      /NOPERM .*; allow \+psubscribe &\*$/,
      subscriber.subscribePattern("many:*", soon()),
    );
    await command(few, "PUBLISH", "few:1", "1");
    await heard.until(() => heard.messages.length === 1);
    await rejectsWith("UNSUPPORTED", /NOPERM/, few.subscriber(heard).subscribe("many:1", soon()));
  });

  void it("says no after the end", async () => {
    const router = await routers.ready(url);
    const subscriber = router.subscriber(new Heard());
    await subscriber.subscribe("a", soon());
    await subscriber.close();
    await rejectsWith("UNAVAILABLE", /closed/, subscriber.subscribe("b", soon()));
    const other = router.subscriber(new Heard());
    const waiting = other.subscribe("a", soon());
    await router.close();
    await rejectsWith("UNAVAILABLE", /closed/, waiting);
    await rejectsWith("UNAVAILABLE", /closed/, router.subscriber(new Heard()).subscribe("a", soon()));
  });
});
