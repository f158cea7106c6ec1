import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { startCluster, type RedisCluster } from "../../../support/redis/cluster.ts";
import { startRedis, type RedisServer } from "../../../support/redis/server.ts";
import { RedisFailure, type Router } from "../../../../src/backends/redis/router.ts";
import { until } from "../../../support/servers/until.ts";
import { failure, Heard, rejectsWith, Routers, soon } from "./support.ts";

const password = "s3cret";
const routers = new Routers();
afterEach(async () => routers.close());

/** Counts up a key a worker, and checks that each count was executed once, or never if it was not sent. */
class Counters {
  readonly #router: Router;
  readonly #keys: readonly string[];
  readonly #doubt = new Map<string, number>();
  readonly #acknowledged = new Map<string, number>();
  readonly #workers: Promise<void>[];
  #stopped = false;
  failures: RedisFailure[] = [];

  constructor(router: Router, keys: readonly string[]) {
    this.#router = router;
    this.#keys = keys;
    this.#workers = keys.map(async (key) => this.#work(key));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#workers);
    for (const key of this.#keys) {
      await this.#router.ready(soon(), key);
      const stored = Number(String(await this.#router.send("commands", key, ["GET", key])));
      const least = this.#acknowledged.get(key) ?? 0;
      const most = least + (this.#doubt.get(key) ?? 0);
      assert.ok(least > 0, `${key} was never counted`);
      assert.ok(stored >= least && stored <= most, `${key} is ${stored}, which is not from ${least} to ${most}`);
    }
  }

  async #work(key: string): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#router.ready(soon(10_000), key);
        await this.#router.send("commands", key, ["INCR", key]);
        this.#acknowledged.set(key, (this.#acknowledged.get(key) ?? 0) + 1);
      } catch (error) {
        if (!(error instanceof RedisFailure)) throw error;
        this.failures.push(error);
        if (error.sent) this.#doubt.set(key, (this.#doubt.get(key) ?? 0) + 1);
      }
    }
  }
}

void describe("a cluster", () => {
  let cluster: RedisCluster;
  before(async () => {
    cluster = await startCluster({ kind: "redis", password });
  });
  after(async () => cluster.stop());

  async function another(server: RedisServer): Promise<RedisServer> {
    const primaries = await Promise.all([0, 8_000, 16_000].map(async (slot) => cluster.primaryOf(slot)));
    return primaries.find((one) => one !== server) as RedisServer;
  }

  void it("is reached by any of its nodes, and each key by its own", async () => {
    const router = await routers.ready(cluster.url.replace(/@.*$/, `@127.0.0.1:1,127.0.0.1:${cluster.nodes[4]?.port}`));
    assert.equal(router.topology, "cluster");
    for (const key of ["a", "b", "{b}c", "ü{ä}", "{}", "a{b"]) {
      assert.equal(router.slotOf(key), await cluster.slotOf(key));
      assert.equal(await router.send("commands", key, ["SET", key, key]), "OK");
      assert.equal(await router.send("renewals", key, ["GET", key]).then(String), key);
    }
    assert.equal(await router.send("commands", undefined, ["PING"]), "PONG");
  });

  void it("names its primaries", async () => {
    const router = await routers.ready(cluster.url);
    const { nodes, epoch } = await router.primaries(soon());
    const expected = await Promise.all([0, 8_000, 16_000].map(async (slot) => cluster.primaryOf(slot)));
    assert.deepEqual(nodes.map(({ id }) => id).toSorted(), expected.map(({ port }) => `127.0.0.1:${port}`).toSorted());
    assert.equal((await router.primaries(soon())).epoch, epoch);
    const sizes = await Promise.all(nodes.map(async (node) => Number(await node.send(["DBSIZE"]))));
    assert.ok(sizes.every((size) => size >= 0));
  });

  void it("moves slots under load, and every count is counted once", async () => {
    const router = await routers.ready(cluster.url);
    const { epoch } = await router.primaries(soon());
    const counters = new Counters(router, ["m1", "m2", "m3", "{m1}x", "{m1}y"]);
    for (let i = 0; i < 3; i++) {
      const slot = router.slotOf("m1");
      await cluster.moveSlot(slot, await another(await cluster.primaryOf(slot)));
    }
    await counters.stop();
    assert.deepEqual(counters.failures, [], "no command failed");
    while ((await router.primaries(soon())).epoch === epoch) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  void it("follows ASK, and tries again while the keys of a command are in two places", async () => {
    const router = await routers.ready(cluster.url);
    const keys = ["{t}1", "{t}2", "{t}3", "{t}4"];
    for (const key of keys) await router.send("commands", key, ["SET", key, "1"]);
    const slot = router.slotOf("t");
    const target = await another(await cluster.primaryOf(slot));
    let steps = 0;
    const both: Promise<unknown>[] = [];
    await cluster.moveSlot(slot, target, async () => {
      steps++;
      for (const key of keys) assert.equal(String(await router.send("commands", key, ["GET", key])), "1");
      if (steps === 2) both.push(router.send("commands", keys[0], ["MGET", ...keys]));
      await new Promise((resolve) => setTimeout(resolve, 50));
    });
    assert.equal(steps, keys.length);
    assert.equal(both.length, 1);
    assert.deepEqual((await Promise.all(both)).map(String), ["1,1,1,1"]);
  });

  void it("gives up on keys that stay in two places, and did nothing", async () => {
    const router = await routers.ready(cluster.url);
    for (const key of ["{g}1", "{g}2"]) await router.send("commands", key, ["SET", key, "1"]);
    const slot = router.slotOf("g");
    let stuck: Promise<RedisFailure> | undefined;
    await cluster.moveSlot(slot, await another(await cluster.primaryOf(slot)), async () => {
      stuck ??= failure(router.send("commands", "{g}1", ["MSET", "{g}1", "2", "{g}2", "2"]));
      await stuck;
    });
    const { sent, reply } = (await stuck) as RedisFailure;
    assert.deepEqual([sent, reply], [false, "TRYAGAIN"]);
    await router.ready(soon(), "{g}1");
    assert.equal(String(await router.send("commands", "{g}1", ["MGET", "{g}1", "{g}2"])), "1,1");
  });

  void it("says of a user that may not say ASKING why a command was turned away, and that nothing was done", async () => {
    for (const node of cluster.nodes) {
      await node.command("ACL", "SETUSER", "curt", "on", `>${password}`, "~*", "&*", "+@all", "-asking");
    }
    const router = await routers.ready(cluster.url.replace("//:", "//curt:"));
    await router.send("commands", "{c}old", ["SET", "{c}old", "1"]);
    const slot = router.slotOf("c");
    await cluster.moveSlot(slot, await another(await cluster.primaryOf(slot)), async () => {
      const { sent, reply, message } = await failure(router.send("commands", "{c}new", ["SET", "{c}new", "1"]));
      assert.deepEqual([sent, reply], [false, "NOPERM"]);
      assert.match(message, /asking/);
    });
    assert.equal(await router.send("commands", "{c}new", ["GET", "{c}new"]), null);
    assert.equal(await router.send("commands", "{c}new", ["SET", "{c}new", "1"]), "OK");
  });

  void it("hears messages on every node and patterns of every node, and tells of a gap when the primaries change", async () => {
    const router = await routers.ready(cluster.url);
    const heard = new Heard();
    const subscriber = router.subscriber(heard);
    await subscriber.subscribe("ch", soon());
    await subscriber.subscribePattern("__keyspace@0__:hf*", soon());
    for (const node of cluster.nodes) await node.command("CONFIG", "SET", "notify-keyspace-events", "K$");
    const keys = ["hf1", "hf2", "hf3", "hf4", "hf5", "hf6"];
    const tell = async (): Promise<void> => {
      for (const key of keys) {
        await router.ready(soon(10_000), key);
        await router.send("commands", key, ["SET", key, "1"]);
      }
      const { nodes } = await router.primaries(soon());
      for (const [i, node] of nodes.entries()) await node.send(["PUBLISH", "ch", String(i)]);
    };
    await tell();
    await heard.until(() => heard.messages.length === keys.length + 3);
    assert.equal(new Set(keys.map((key) => Math.floor(router.slotOf(key) / 5_462))).size, 3, "keys of every node");
    assert.equal(heard.gaps, 0);
    await cluster.failover(router.slotOf("hf1"));
    await heard.until(() => heard.gaps > 0);
    heard.messages.length = 0;
    // The gap says that it listens anew; each of its connections says so when it does, in no order.
    await until("every node to be heard", async () => {
      await tell();
      const told = new Set(heard.messages.map(({ channel, body }) => `${channel} ${body}`));
      return told.size >= keys.length + 3;
    });
  });

  void it("fails over under load, with nothing lost and nothing twice", async () => {
    const router = await routers.ready(cluster.url);
    const counters = new Counters(router, ["f1", "f2", "f3"]);
    await cluster.failover(router.slotOf("f1"));
    await cluster.failover(router.slotOf("f2"));
    await counters.stop();
    assert.ok(
      counters.failures.every(({ sent }) => !sent),
      "a failover by hand loses no connection with a command on it",
    );
  });

  void it("survives the death of a primary: others go on, its own slots wait for the next", async () => {
    for (const node of cluster.nodes) await node.command("CONFIG", "SET", "cluster-require-full-coverage", "no");
    const router = await routers.ready(cluster.url);
    const slot = router.slotOf("d1");
    const dead = await cluster.primaryOf(slot);
    const alive = ["a", "b", "c", "d", "e"].find((key) => Math.abs(router.slotOf(key) - slot) > 5_462) as string;
    const pending = failure(router.send("commands", "d1", ["BLPOP", "d1", "0"]));
    await dead.kill();
    assert.equal((await pending).sent, true);
    const unsent = await failure(router.send("commands", "d1", ["GET", "d1"]));
    assert.equal(unsent.sent, false);
    assert.ok(router.isReady("commands", alive));
    assert.equal(await router.send("commands", alive, ["SET", alive, "1"]), "OK");
    await rejectsWith("UNAVAILABLE", /within the time given/, router.ready(soon(100), "d1"), password);
    await router.ready(soon(15_000), "d1");
    assert.equal(await router.send("commands", "d1", ["SET", "d1", "1"]), "OK");
    const { nodes } = await router.primaries(soon());
    assert.ok(!nodes.some(({ id }) => id.endsWith(`:${dead.port}`)), "the dead one is forgotten");
    await dead.restart();
    await cluster.whole();
  });

  void it("is reached by TLS", async () => {
    const secure = await startCluster({ kind: "redis", password, tls: true });
    try {
      const router = await routers.ready({ url: secure.url, tls: { ca: secure.nodes[0]?.ca as string } });
      for (const key of ["a", "b", "c"]) assert.equal(await router.send("commands", key, ["SET", key, "1"]), "OK");
    } finally {
      await routers.close();
      await secure.stop();
    }
  });

  void it("is refused where it is none, or where the password is wrong", async () => {
    const single = await startRedis({ kind: "redis" });
    try {
      const wrong = routers.make(single.url.replace("redis://", "redis+cluster://"));
      await rejectsWith("INVALID_ARGUMENT", /is not a cluster/, wrong.ready(soon()));
    } finally {
      await single.stop();
    }
    const locked = routers.make(cluster.url.replace(password, "wr0ng"));
    await rejectsWith("INVALID_ARGUMENT", /WRONGPASS/, locked.ready(soon()), "wr0ng");
    const down = routers.make("redis+cluster://127.0.0.1:1,127.0.0.1:2");
    await rejectsWith("UNAVAILABLE", /no node tells/, down.ready(soon(300)));
  });
});
