import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { systemTime, type Time } from "../../../../src/base/time.ts";
import { startCluster, type RedisCluster } from "../../../support/redis/cluster.ts";
import { until } from "../../../support/servers/until.ts";
import { Heard, Routers, soon } from "./support.ts";

const routers = new Routers();
afterEach(async () => routers.close());

/** Without the looks that a subscriber has taken at the primaries from time to time. */
const commandsOnly: Time = {
  ...systemTime,
  after: (ms, fn, options) => (ms === 2_000 ? { clear: () => undefined } : systemTime.after(ms, fn, options)),
};

void describe("patterns on the primaries of a cluster", () => {
  let cluster: RedisCluster;
  before(async () => {
    cluster = await startCluster({ kind: "redis", settings: { "notify-keyspace-events": "K$" } });
  });
  after(async () => cluster.stop());

  void it("are subscribed to on a primary that was added, and that one of our own commands came upon first", async () => {
    const router = routers.make(cluster.url, commandsOnly);
    await router.ready(soon());
    const heard = new Heard();
    await router.subscriber(heard).subscribePattern("__keyspace@0__:grown*", soon());
    const slot = router.slotOf("grown");
    const added = await cluster.addPrimary();
    await cluster.moveSlot(slot, added);
    await until("every node to know the slot's new place", async () => {
      const views = await Promise.all(
        cluster.nodes.map(async (node) => String(await node.command("CLUSTER", "SLOTS"))),
      );
      return views.every((view) => view.includes(String(added.port)));
    });
    assert.equal(heard.gaps, 0);
    const { epoch } = await router.primaries(soon());
    assert.ok(!epoch.includes(String(added.port)), "a command is the first to meet it");
    assert.equal(await router.send("commands", "grown", ["GET", "grown"]), null);
    await heard.until(() => heard.gaps > 0);
    await until("the new primary to be heard", async () => {
      await router.send("commands", "grown", ["SET", "grown", "1"]);
      return heard.messages.length > 0;
    });
  });

  void it("are subscribed to without waiting for one that died while there were none", async () => {
    const router = await routers.ready(cluster.url);
    const subscriber = router.subscriber(new Heard());
    await subscriber.subscribePattern("a*", soon());
    subscriber.unsubscribePattern("a*");
    const slot = router.slotOf("d1");
    const dead = await cluster.primaryOf(slot);
    await dead.kill();
    await cluster.failedOver(slot, dead);
    await until("the dead one to be forgotten", async () => {
      const { nodes } = await router.primaries(soon());
      return !nodes.some(({ id }) => id.endsWith(`:${dead.port}`));
    });
    await subscriber.subscribePattern("b*", soon());
    await dead.restart();
    await cluster.whole();
  });

  void it("are subscribed to though a primary dies meanwhile", async () => {
    const router = await routers.ready(cluster.url);
    const heard = new Heard();
    const subscriber = router.subscriber(heard);
    const slot = router.slotOf("d2");
    const dead = await cluster.primaryOf(slot);
    await dead.kill();
    const pending = subscriber.subscribePattern("__keyspace@0__:d2", soon(20_000));
    const next = await cluster.failedOver(slot, dead);
    await pending;
    await next.command("SET", "d2", "1");
    await heard.until(() => heard.messages.length > 0);
    await dead.restart();
    await cluster.whole();
  });
});
