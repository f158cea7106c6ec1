import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createClient } from "redis";
import { systemTime } from "../../../../src/base/time.ts";
import { ClusterNode } from "../../../../src/backends/redis/connections/cluster-node.ts";
import { NodeRedisWire, ownClientOptions } from "../../../../src/backends/redis/connections/node-redis.ts";
import type { NodeRedisClient } from "../../../../src/backends/redis/connections/driver.ts";
import { startRedis, type RedisServer } from "../../../support/redis/server.ts";
import { failure } from "./support.ts";

const connectTimeout = 5_000;

void describe("a node of a cluster", () => {
  let server: RedisServer;
  let node: ClusterNode;
  before(async () => {
    // No cluster: it refuses every ASKING with an error, and serves what comes behind it.
    server = await startRedis({ kind: "redis" });
    await new Promise<void>((resolve) => {
      node = new ClusterNode(
        server,
        {
          dial: async (endpoint, _role, lost) => {
            const options = ownClientOptions(endpoint, undefined, connectTimeout);
            return new NodeRedisWire(createClient(options as object) as unknown as NodeRedisClient, lost);
          },
          time: systemTime,
          hide: (text) => text,
          connectTimeout,
        },
        resolve,
      );
    });
    assert.ok(node.commands.ready, node.commands.problem?.message);
  });
  after(async () => {
    node.close();
    await server.stop();
  });

  void it("tells of a command what became of it, though the ASKING before it was refused", async () => {
    assert.equal((await failure(node.send(["ASKING"]))).reply, "ERR");
    assert.equal(await node.sendAsking(["SET", "k", "1"]), "OK");
    assert.equal(await server.command("GET", "k"), "1");
    assert.equal(await node.sendAsking(["INCR", "k"]), 2);
  });

  void it("tells of a command that may have taken effect that it may have", async () => {
    const midway = await failure(node.sendAsking(["EVAL", "redis.call('SET', 'half', 1) error('x')", "0"]));
    assert.equal(midway.sent, true);
    const lost = failure(node.sendAsking(["BLPOP", "nothing", "0"]));
    await server.kill();
    assert.equal((await lost).sent, true);
  });
});
