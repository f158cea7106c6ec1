import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { startCluster } from "../support/redis/cluster.ts";
import { everyKind, lacks } from "../support/redis/kinds.ts";
import { startSentinel } from "../support/redis/sentinel.ts";
import { startRedis } from "../support/redis/server.ts";
import { until } from "../support/servers/until.ts";
import { sendOnce } from "../support/redis/wire.ts";

for (const kind of everyKind) {
  void test(
    `${kind} keeps its data over a kill when it writes them down, and loses them else`,
    { skip: lacks(kind) },
    async () => {
      for (const appendonly of ["always", undefined] as const) {
        const server = await startRedis({ kind, ...(appendonly === undefined ? {} : { appendonly }) });
        try {
          await server.command("SET", "key", "value");
          await server.restart();
          assert.equal(await server.command("GET", "key"), appendonly === undefined ? null : "value");
          await server.command("SET", "key", "value");
          await server.restart({ keep: false });
          assert.equal(await server.command("GET", "key"), null);
        } finally {
          await server.stop();
        }
        assert.equal(existsSync(server.folder), false);
      }
    },
  );
}

void test("a server with a password, users and TLS lets in who it should", { skip: lacks("redis") }, async () => {
  const password = 'pass "word"';
  const server = await startRedis({ kind: "redis", tls: true, password, users: ["user app on >secret ~hf:* +@all"] });
  try {
    assert.equal(await server.command("SET", "other", "value"), "OK");
    const { host, port, ca } = server;
    const app = { host, port, ca, user: "app", password: "secret" };
    assert.equal(await sendOnce(app, ["SET", "hf:one", "value"]), "OK");
    await assert.rejects(sendOnce(app, ["GET", "other"]), /NOPERM/);
    await assert.rejects(sendOnce({ ...app, password: "wrong" }, ["PING"]), /WRONGPASS/);
    await assert.rejects(sendOnce({ ...app, ca: undefined }, ["PING"]), Error);
  } finally {
    await server.stop();
  }
});

void test("a paused server answers nothing until it goes on", { skip: lacks("redis") }, async () => {
  const server = await startRedis({ kind: "redis" });
  try {
    server.pause();
    await assert.rejects(sendOnce(server, ["PING"], 50), /no reply within 50 ms/);
    server.resume();
    assert.equal(await server.command("PING"), "PONG");
  } finally {
    await server.stop();
  }
});

void test("a cluster moves a slot with its keys, and a replica takes over", { skip: lacks("redis") }, async () => {
  const cluster = await startCluster({ kind: "redis", tls: true, password: "secret" });
  try {
    const slot = await cluster.slotOf("{tag}1");
    const source = await cluster.primaryOf(slot);
    await source.command("SET", "{tag}1", "value");
    const target = await cluster.primaryOf((slot + 8_000) % 16_384);
    await cluster.moveSlot(slot, target);
    assert.equal(await target.command("GET", "{tag}1"), "value");
    await assert.rejects(source.command("GET", "{tag}1"), new RegExp(`MOVED ${slot} 127.0.0.1:${target.port}`));
    assert.equal(await (await cluster.failover(slot)).command("GET", "{tag}1"), "value");
  } finally {
    await cluster.stop();
  }
});

void test("sentinels make the replica the primary", { skip: lacks("redis") }, async () => {
  const group = await startSentinel({ kind: "redis", tls: true, password: "secret" });
  try {
    const before = await group.primary();
    await before.command("SET", "key", "value");
    await until("the replica", async () => (await (await group.replica()).command("GET", "key")) === "value");
    await before.kill();
    const after = await group.failedOver(before);
    assert.equal(await after.command("GET", "key"), "value");
  } finally {
    await group.stop();
  }
});
