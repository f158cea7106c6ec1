import assert from "node:assert/strict";
import { afterEach, after, before, describe, it } from "node:test";
import path from "node:path";
import { startRedis, type RedisServer } from "../../../support/redis/server.ts";
import { until } from "../../../support/servers/until.ts";
import { FaultProxy } from "../../../support/fault-proxy.ts";
import { command, failure, fasterTime, Heard, rejectsWith, Routers, soon } from "./support.ts";

const password = "s3cret-of-default";
const routers = new Routers();
afterEach(async () => routers.close());

void describe("one server", () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  let url: string;
  before(async () => {
    server = await startRedis({
      kind: "redis",
      password,
      appendonly: "always",
      users: ["user app on >app-secret ~hf:* &hf:* +@all", "user narrow on >n4rrow ~hf:* +@read +@write"],
      settings: { unixsocket: "server.sock" },
    });
    proxy = await FaultProxy.start({ port: server.port });
    url = `redis://:${password}@127.0.0.1:${proxy.port}`;
  });
  afterEach(() => proxy.set({ kind: "none" }));
  after(async () => {
    await proxy.close();
    await server.stop();
  });

  void it("gives bulk strings as buffers and takes buffers, in the database of the URL", async () => {
    const router = await routers.ready(`${url}/5`);
    const bytes = Buffer.from([0, 255, 128]);
    assert.equal(await command(router, "SET", "bytes", bytes), "OK");
    assert.deepEqual(await command(router, "MGET", "bytes", "none"), [bytes, null]);
    assert.equal(await command(router, "EXISTS", "bytes"), 1);
    assert.equal(await server.command("EXISTS", "bytes"), 0, "it is not in database 0");
  });

  void it("opens each connection when it is first needed, and names it", async () => {
    const router = await routers.ready(url);
    const names = async (): Promise<string[]> =>
      [...String(await command(router, "CLIENT", "LIST")).matchAll(/name=(holdfast:\S+)/g)].map(([, n]) => n as string);
    assert.deepEqual(await names(), ["holdfast:commands"]);
    assert.equal(
      await router.send("renewals", undefined, ["ECHO", "1"]).then(String),
      "1",
      "it goes on the other first",
    );
    const heard = new Heard();
    await router.subscriber(heard).subscribe("hf:a", soon());
    while (!(await names()).includes("holdfast:renewals"));
    assert.deepEqual((await names()).toSorted(), ["holdfast:commands", "holdfast:renewals", "holdfast:subscriptions"]);
  });

  void it("takes a Unix socket and an ACL user", async () => {
    const socket = path.join(server.folder, "server.sock");
    const router = await routers.ready(`redis://app:app-secret@${encodeURIComponent(socket)}`);
    assert.equal(String(await command(router, "ACL", "WHOAMI")), "app");
    const refused = await failure(command(router, "SET", "other", "1"));
    assert.deepEqual([refused.sent, refused.reply], [false, "NOPERM"]);
  });

  void it("does without the commands that a user may not use on a connection", async () => {
    const router = await routers.ready(`redis://narrow:n4rrow@127.0.0.1:${server.port}`);
    assert.equal(await command(router, "SET", "hf:x", "1"), "OK");
  });

  void it("refuses a wrong password, a missing one and a wrong database at once, and shows no secret", async () => {
    const started = performance.now();
    const wrong = `redis://app:wr0ng-secret@127.0.0.1:${server.port}`;
    await rejectsWith("INVALID_ARGUMENT", /WRONGPASS/, routers.make(wrong).ready(soon()), "wr0ng-secret");
    await rejectsWith("INVALID_ARGUMENT", /NOAUTH/, routers.make(`redis://127.0.0.1:${server.port}`).ready(soon()));
    await rejectsWith("INVALID_ARGUMENT", /DB index/, routers.make(`${url}/9999`).ready(soon()), password);
    assert.ok(performance.now() - started < 4_500);
  });

  void it("tries again after a refusal, but does not hammer the server", async () => {
    const router = routers.make(`redis://late:in-time@127.0.0.1:${proxy.port}`, fasterTime(10));
    const deadline = (): number => soon() * 10;
    const accepted = proxy.accepted;
    for (let i = 0; i < 5; i++) await rejectsWith("INVALID_ARGUMENT", /WRONGPASS/, router.ready(deadline()));
    assert.equal(proxy.accepted - accepted, 1);
    await server.command("ACL", "SETUSER", "late", "on", ">in-time", "+@all", "~*");
    for (;;) {
      try {
        await router.ready(deadline());
        break;
      } catch (error) {
        assert.match(String(error), /WRONGPASS/);
      }
    }
  });

  void it("keeps a deadline where nothing listens, and says what was in the way", async () => {
    const router = routers.make("redis://127.0.0.1:1");
    const started = performance.now();
    await rejectsWith("UNAVAILABLE", /no connection within the time given: .*ECONNREFUSED/, router.ready(soon(1_000)));
    assert.ok(performance.now() - started < 4_500);
    const unsent = await failure(command(router, "PING"));
    assert.equal(unsent.sent, false);
  });

  void it("keeps a deadline where nobody answers", async () => {
    proxy.set({ kind: "black-hole" });
    const router = routers.make(url);
    const started = performance.now();
    await rejectsWith("UNAVAILABLE", /within the time given/, router.ready(soon(300)), password);
    assert.ok(performance.now() - started < 4_500);
  });

  void it("lets so many wait and no more", async () => {
    const router = routers.make({ url: "redis://127.0.0.1:1", maxWaiting: 2 });
    const waiting = [router.ready(soon(300)), router.ready(soon(300))];
    await rejectsWith("UNAVAILABLE", /2 callers wait/, router.ready(soon(300)));
    for (const one of waiting) await rejectsWith("UNAVAILABLE", /within the time given/, one);
  });

  void it("comes back after a restart, with what is pending lost in doubt and the rest not sent", async () => {
    const router = await routers.ready(url);
    await command(router, "SET", "kept", "1");
    const pending = failure(command(router, "BLPOP", "nothing", "0"));
    const restarted = server.restart();
    assert.equal((await pending).sent, true);
    assert.equal((await failure(command(router, "GET", "kept"))).sent, false);
    await router.ready(soon());
    assert.equal(String(await command(router, "GET", "kept")), "1");
    await restarted;
  });

  void it("runs a command once when its reply is lost", async () => {
    const router = await routers.ready(url);
    await command(router, "DEL", "count");
    for (let i = 1; i <= 5; i++) {
      proxy.set({ kind: "drop-reply" });
      const lost = await failure(command(router, "INCR", "count"));
      assert.equal(lost.sent, true);
      proxy.set({ kind: "none" });
      await router.ready(soon());
      assert.equal(String(await command(router, "GET", "count")), String(i));
    }
  });

  void it("finds out that a connection is dead, and leaves it", async () => {
    const router = routers.make(url, fasterTime(8));
    await router.ready(soon() * 8);
    proxy.set({ kind: "black-hole" });
    const lost = await failure(command(router, "SET", "hole", "1"));
    assert.match(lost.message, /silent for too long/);
    assert.equal(lost.sent, true);
    assert.equal(router.isReady("commands", undefined), false);
    proxy.set({ kind: "none" });
    await router.ready(soon() * 8);
  });

  void it("does not take a slow reply for a dead connection", async () => {
    const router = routers.make(url, fasterTime(4));
    await router.ready(soon() * 4);
    server.pause();
    const slow = command(router, "PING");
    // Of the 1,250 ms that silence may last here.
    setTimeout(() => server.resume(), 100);
    assert.equal(await slow, "PONG");
  });

  void it("reports what a server refused, without the arguments that it repeats", async () => {
    const router = await routers.ready(url);
    const unknown = await failure(command(router, "NOSUCH", "my-value"));
    assert.deepEqual([unknown.sent, unknown.reply], [false, "ERR"]);
    assert.doesNotMatch(unknown.message, /my-value/);
    const missing = await failure(command(router, "EVALSHA", "0".repeat(40), "0"));
    assert.deepEqual([missing.sent, missing.reply], [false, "NOSCRIPT"]);
    const midway = await failure(command(router, "EVAL", "redis.call('SET', 'half', 1) error('x')", "0"));
    assert.equal(midway.sent, true, "a script keeps what it wrote");
  });

  void it("refuses what comes when too much is pending", async () => {
    const router = await routers.ready(url);
    server.pause();
    const pings = Array.from({ length: 65_540 }, () => command(router, "PING"));
    server.resume();
    const all = await Promise.allSettled(pings);
    const refused = all.flatMap((one) => (one.status === "rejected" ? [one.reason as { sent: boolean }] : []));
    assert.deepEqual(
      refused.map(({ sent }) => sent),
      [false, false, false, false],
    );
  });

  void it("leaves a server that has become a replica", async () => {
    const router = await routers.ready(url);
    await server.command("REPLICAOF", "127.0.0.1", "1");
    const id = await server.command("CLIENT", "LIST").then(String);
    assert.match(id, /holdfast:commands/);
    const accepted = proxy.accepted;
    try {
      assert.equal((await failure(command(router, "SET", "x", "1"))).reply, "READONLY");
      await router.ready(soon());
      assert.equal(proxy.accepted, accepted + 1, "on a connection that may lead to another server");
    } finally {
      await server.command("REPLICAOF", "NO", "ONE");
    }
  });

  void it("says no after the end, and ends twice", async () => {
    const router = await routers.ready(url);
    const waiting = rejectsWith(
      "UNAVAILABLE",
      /closed/,
      routers
        .make("redis://127.0.0.1:1")
        .ready(soon(1))
        .catch(async () => {
          await router.close();
          await router.close();
          return router.ready(soon());
        }),
    );
    await waiting;
    assert.equal((await failure(command(router, "PING"))).sent, false);
    assert.equal(router.isReady("commands", undefined), false);
  });

  void it("knows one primary and no slots", async () => {
    const router = await routers.ready(url);
    const { nodes, epoch } = await router.primaries(soon());
    assert.equal(nodes.length, 1);
    assert.equal(nodes[0]?.id, `127.0.0.1:${proxy.port}`);
    assert.equal(epoch, nodes[0]?.id);
    assert.equal(await nodes[0]?.send(["PING"]), "PONG");
    assert.equal(router.slotOf("{a}b"), 0);
  });
});

void describe("TLS", () => {
  let server: RedisServer;
  before(async () => {
    server = await startRedis({ kind: "redis", password, tls: true });
  });
  after(async () => server.stop());

  void it("trusts the certificates that it is given, and no others", async () => {
    const router = await routers.ready({ url: server.url, tls: { ca: server.ca as string } });
    assert.equal(await command(router, "PING"), "PONG");
    const started = performance.now();
    await rejectsWith(
      "INVALID_ARGUMENT",
      /no trusted TLS connection/,
      routers.make(server.url).ready(soon()),
      password,
    );
    const other = { url: server.url, tls: { ca: server.ca as string, servername: "elsewhere.example" } };
    await rejectsWith("INVALID_ARGUMENT", /no trusted TLS connection/, routers.make(other).ready(soon()), password);
    assert.ok(performance.now() - started < 4_500);
    const careless = await routers.ready({ url: server.url, tls: { rejectUnauthorized: false } });
    assert.equal(await command(careless, "PING"), "PONG");
  });

  void it("leaves nothing behind when it is closed while it connects", async () => {
    const proxy = await FaultProxy.start({ port: server.port });
    try {
      proxy.set({ kind: "black-hole" });
      const url = server.url.replace(String(server.port), String(proxy.port));
      const router = routers.make({ url, tls: { ca: server.ca as string } });
      const waiting = rejectsWith("UNAVAILABLE", /closed/, router.ready(soon()), password);
      await until("the beginning of the connection", async () => proxy.connections === 1);
      await router.close();
      await waiting;
      proxy.set({ kind: "none" });
      await until("the end of the connection", async () => proxy.connections === 0, 2_000);
    } finally {
      await proxy.close();
    }
  });
});
