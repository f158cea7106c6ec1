import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { createClient } from "redis";
import { systemTime } from "../../../../src/base/time.ts";
import type { NodeRedisClient } from "../../../../src/backends/redis/connections/driver.ts";
import { NodeRedisWire, ownClientOptions } from "../../../../src/backends/redis/connections/node-redis.ts";
import { requirePrimary, SentinelFinder } from "../../../../src/backends/redis/connections/sentinel.ts";
import { SingleRouter } from "../../../../src/backends/redis/connections/single.ts";
import type { Dial, Wire } from "../../../../src/backends/redis/connections/wire.ts";
import type { Reply } from "../../../../src/backends/redis/router.ts";
import { startSentinel, type SentinelGroup } from "../../../support/redis/sentinel.ts";
import { startRedis, type RedisServer } from "../../../support/redis/server.ts";
import { until } from "../../../support/servers/until.ts";
import { command, Heard, Routers, soon } from "./support.ts";

const connectTimeout = 5_000;
const routers = new Routers();
afterEach(async () => routers.close());

void describe("an attempt to connect to a master that sentinels replace meanwhile", () => {
  let group: SentinelGroup;
  before(async () => {
    group = await startSentinel({ kind: "redis" });
  });
  after(async () => group.stop());

  void it("is given up for the next master", async () => {
    const old = await group.primary();
    old.pause();
    try {
      const router = routers.make({ url: group.url, connectTimeout: 60_000 });
      const pending = router.ready(soon(30_000));
      const [next] = await Promise.all([group.failedOver(old), pending]);
      assert.equal((await router.primaries(soon())).epoch, `127.0.0.1:${next.port}`);
      old.resume();
      await old.answers();
      assert.equal(await command(router, "SET", "x", "1"), "OK");
      assert.equal(await next.command("GET", "x"), "1");
    } finally {
      old.resume();
    }
  });
});

/** A sentinel that says what the test wants. */
class FakeSentinel {
  named: RedisServer;
  #lost: (why: unknown) => void = () => undefined;

  constructor(named: RedisServer) {
    this.named = named;
  }

  /** Cuts the connection that is listened on. */
  cut(): void {
    this.#lost(new Error("cut"));
  }

  readonly dial: Dial = async (_endpoint, _role, lost): Promise<Wire> => ({
    open: async () => undefined,
    send: async ([name]): Promise<Reply> => (name === "SENTINEL" ? [this.named.host, this.named.port] : "OK"),
    subscribe: async () => {
      this.#lost = lost;
    },
    unsubscribe: async () => undefined,
    unsent: () => true,
    hold: () => undefined,
    close: () => undefined,
  });
}

const dial: Dial = async (endpoint, _role, lost) => {
  const options = ownClientOptions(endpoint, undefined, connectTimeout);
  return new NodeRedisWire(createClient(options as object) as unknown as NodeRedisClient, lost);
};

void describe("a sentinel that is heard again", () => {
  let one: RedisServer;
  let two: RedisServer;
  before(async () => {
    [one, two] = await Promise.all([startRedis({ kind: "redis" }), startRedis({ kind: "redis" })]);
  });
  after(async () => Promise.all([one.stop(), two.stop()]));

  /** The connections to a server by their names. */
  async function connectionsOf(server: RedisServer): Promise<ReadonlyMap<string, string>> {
    const list = String(await server.command("CLIENT", "LIST"));
    return new Map(
      [...list.matchAll(/^id=(\d+) .* name=holdfast:(\S+)/gm)].map(([, id = "", name = ""]) => [name, id]),
    );
  }

  void it("moves what leads elsewhere than to its master, though another connection has asked it before", async () => {
    const sentinel = new FakeSentinel(one);
    const common = { time: systemTime, hide: (text: string) => text, connectTimeout, maxWaiting: 10 };
    const sentinels = [{ host: "sentinel", port: 1 }];
    const finder = new SentinelFinder({ ...common, dial: sentinel.dial, sentinels, master: "m" }, (to) =>
      router.renew(to),
    );
    const router: SingleRouter = new SingleRouter("sentinel", {
      ...common,
      dial,
      endpoint: () => finder.find(),
      prepare: requirePrimary,
      closed: () => finder.close(),
    });
    try {
      await router.ready(soon());
      const heard = new Heard();
      await router.subscriber(heard).subscribe("a", soon());
      await router.send("renewals", undefined, ["PING"]);
      await until("three connections", async () => (await connectionsOf(one)).size === 3);
      sentinel.named = two;
      await one.command("CLIENT", "KILL", "ID", (await connectionsOf(one)).get("commands") as string);
      await until("commands to go to the next master", async () => (await connectionsOf(two)).has("commands"));
      const { commands } = Object.fromEntries(await connectionsOf(two));
      assert.equal(heard.gaps, 0);
      sentinel.cut();
      await heard.until(() => heard.gaps > 0);
      await until("all to be there", async () => (await connectionsOf(two)).size === 3);
      assert.equal((await connectionsOf(two)).get("commands"), commands, "what was there already stays");
      await until("none to be left behind", async () => (await connectionsOf(one)).size === 0);
    } finally {
      await router.close();
    }
  });
});
