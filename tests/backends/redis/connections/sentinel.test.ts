import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { startRedis, type RedisServer } from "../../../support/redis/server.ts";
import { startSentinel, type SentinelGroup } from "../../../support/redis/sentinel.ts";
import type { Router } from "../../../../src/backends/redis/router.ts";
import { command, failure, Heard, rejectsWith, Routers, soon } from "./support.ts";

const password = "s3cret";
const routers = new Routers();
afterEach(async () => routers.close());

void describe("sentinels", () => {
  let group: SentinelGroup;
  let url: string;
  before(async () => {
    group = await startSentinel({ kind: "redis", password });
    url = `${group.url}?sentinelPassword=${password}`;
  });
  after(async () => group.stop());

  async function follows(router: Router, next: RedisServer): Promise<void> {
    for (const end = soon(10_000); ;) {
      await router.ready(end);
      const { epoch } = await router.primaries(end);
      if (epoch === `127.0.0.1:${next.port}`) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(await command(router, "SET", "x", "1"), "OK");
  }

  void it("name the master, whose commands and messages come by ordinary connections", async () => {
    const router = await routers.ready(url);
    assert.equal(router.topology, "sentinel");
    const { nodes } = await router.primaries(soon());
    assert.equal(nodes[0]?.id, `127.0.0.1:${(await group.primary()).port}`);
    assert.equal(await command(router, "SET", "x", "1"), "OK");
    const heard = new Heard();
    await router.subscriber(heard).subscribe("a", soon());
    await command(router, "PUBLISH", "a", "1");
    await heard.until(() => heard.messages.length === 1);
  });

  void it("tell of another master while the old one lives, and every connection moves", async () => {
    const router = await routers.ready(url);
    const heard = new Heard();
    await router.subscriber(heard).subscribe("a", soon());
    await router.send("renewals", undefined, ["PING"]);
    const primary = await group.failover();
    await follows(router, primary);
    await heard.until(() => heard.gaps > 0);
    assert.equal(await router.send("renewals", undefined, ["SET", "y", "1"]).then(String), "OK");
    while (heard.messages.length === 0) {
      await command(router, "PUBLISH", "a", "1");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });

  void it("lead to another master when the old one has died", async () => {
    const router = await routers.ready(url);
    const primary = await group.primary();
    const pending = failure(command(router, "BLPOP", "nothing", "0"));
    await primary.kill();
    assert.equal((await pending).sent, true);
    assert.equal((await failure(command(router, "GET", "x"))).sent, false);
    await follows(router, await group.failedOver(primary));
    await primary.restart();
  });

  void it("need not all be there", async () => {
    const router = await routers.ready(url.replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1"));
    assert.equal(await command(router, "PING"), "PONG");
  });

  void it("are reached by TLS, as is the master that they name", async () => {
    const secure = await startSentinel({ kind: "redis", tls: true });
    try {
      const router = await routers.ready({ url: secure.url, tls: { ca: secure.data[0]?.ca as string } });
      assert.equal(await command(router, "PING"), "PONG");
    } finally {
      await routers.close();
      await secure.stop();
    }
  });

  void it("are refused where they can never help, and show no secret", async () => {
    const strange = routers.make(url.replace("/mymaster", "/other"));
    await rejectsWith("INVALID_ARGUMENT", /no sentinel knows a master named "other"/, strange.ready(soon()), password);
    await rejectsWith("INVALID_ARGUMENT", /sentinel .* NOAUTH/, routers.make(group.url).ready(soon()), password);
    const down = routers.make("redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster");
    await rejectsWith("UNAVAILABLE", /no sentinel tells.*127\.0\.0\.1:1 .*127\.0\.0\.1:2 /, down.ready(soon(600)));
  });

  void it("are not believed when they name a replica", async () => {
    const [primary] = [await group.primary()];
    const liar = await startRedis({ kind: "redis", settings: { replicaof: `127.0.0.1 ${primary.port}` } });
    const sentinel = await startSentinel({ kind: "redis" });
    try {
      for (const one of sentinel.sentinels) {
        await one.command("SENTINEL", "MONITOR", "liar", "127.0.0.1", String(liar.port), "2");
      }
      const router = routers.make(sentinel.url.replace("/mymaster", "/liar"));
      await rejectsWith("UNAVAILABLE", /no primary/, router.ready(soon(700)));
    } finally {
      await Promise.all([liar.stop(), sentinel.stop()]);
    }
  });
});
