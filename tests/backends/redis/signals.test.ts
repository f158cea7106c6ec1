import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { plainLayout } from "./support/fake-router.ts";
import { makeRouter } from "../../../src/backends/redis/connections/index.ts";
import { notificationsForbidden } from "../../../src/backends/redis/signals/notification-flags.ts";
import type { Notifications } from "../../../src/backends/redis/signals/seam.ts";
import type { SignalHub } from "../../../src/backends/common/signal-hub.ts";
import { redisHub } from "../../../src/backends/redis/signals/signal-hub.ts";
import { isHoldfastError } from "../../../src/base/errors.ts";
import { space } from "../../../src/base/keys.ts";
import { systemTime } from "../../../src/base/time.ts";
import type { Signal } from "../../../src/port/index.ts";
import { connect } from "../../../src/entries/index.ts";
import type { RedisOptions } from "../../support/redis/configuration.ts";
import { startRedis, type RedisServer } from "../../support/redis/server.ts";
import { until } from "../../support/servers/until.ts";

const records = space("state", "svc", "records");
const key = (name: string): string => `hf:state:svc:records{${name}}`;

async function server(t: TestContext, options: Partial<RedisOptions> = {}): Promise<RedisServer> {
  const started = await startRedis({ kind: "redis", ...options });
  t.after(() => started.stop());
  return started;
}

function hubOn(t: TestContext, url: string, notifications: Notifications = "enable"): SignalHub {
  const router = makeRouter({ url });
  const database = Number(new URL(url).pathname.slice(1));
  const hub = redisHub({ router, layout: plainLayout, time: systemTime, database, notifications });
  t.after(async () => {
    await hub.close();
    await router.close();
  });
  return hub;
}

/** What was told, in one word each. */
class Heard {
  readonly words: string[] = [];
  stop: () => void = () => undefined;

  static async of(hub: SignalHub, to: Parameters<ReturnType<SignalHub["signalsOf"]>["subscribe"]>[0]): Promise<Heard> {
    const heard = new Heard();
    heard.stop = await hub.signalsOf("s").subscribe(to, (signal) => heard.words.push(wordOf(signal)));
    return heard;
  }

  async hears(word: string): Promise<void> {
    await until(`hearing ${word}`, async () => this.words.includes(word));
  }
}

function wordOf(signal: Signal): string {
  if (signal.type === "changed") return signal.key.key;
  return signal.type === "message" ? signal.body : signal.type;
}

describe("signals on a redis server", () => {
  it("tell of what is written, deleted and expires in their database, as keys", async (t) => {
    const redis = await server(t);
    const heard = await Heard.of(hubOn(t, redis.url), { changes: records, prefix: "" });
    assert.deepEqual(await redis.command("CONFIG", "GET", "notify-keyspace-events"), [
      "notify-keyspace-events",
      "g$xeK",
    ]);
    await redis.command("SET", key("written"), "v");
    await redis.command("MSET", key("a ä😀\n*[?]"), "v", key("second"), "v", "hf:state:svc:other{second}", "v");
    await redis.command("SET", key("expires"), "v", "PX", "20");
    for (const word of ["written", "a ä😀\n*[?]", "second", "expires"]) await heard.hears(word);
    heard.words.length = 0;
    await redis.command("DEL", key("written"));
    await redis.command("PEXPIRE", key("second"), "100000");
    await heard.hears("written");
    await heard.hears("expires");
    assert.deepEqual(heard.words.toSorted(), ["expires", "written"]);
  });

  it("add flags to those that are there, and again when a restart has forgotten them", async (t) => {
    const redis = await server(t, { settings: { "notify-keyspace-events": "Ez" } });
    const hub = hubOn(t, redis.url);
    const [changes, topic] = [
      await Heard.of(hub, { changes: records, prefix: "" }),
      await Heard.of(hub, { topic: "t" }),
    ];
    const flags = async (): Promise<string> => {
      const reply = await redis.command("CONFIG", "GET", "notify-keyspace-events");
      return String(Array.isArray(reply) ? reply[1] : reply)
        .split("")
        .toSorted()
        .join("");
    };
    assert.equal(await flags(), "$EKegxz");
    await redis.restart({ keep: false });
    await changes.hears("gap");
    await topic.hears("gap");
    assert.equal(await flags(), "$EKegxz", "set before the gap is told");
    await redis.command("SET", key("after"), "v");
    await changes.hears("after");
    await hub.signalsOf("s").publish("t", "after");
    await topic.hears("after");
  });

  it("lose nothing that is said once subscribe has resolved, however often it comes and goes", async (t) => {
    const redis = await server(t);
    const [listening, talking] = [hubOn(t, redis.url), hubOn(t, redis.url)];
    const others = await Heard.of(listening, { topic: "t0" });
    await Promise.all(
      Array.from({ length: 8 }, async (_, lane) => {
        for (let round = 0; round < 40; round++) {
          const topic = `t${(lane + round) % 3}`;
          const heard = await Heard.of(listening, { topic });
          const word = `${lane}.${round}`;
          await talking.signalsOf("b").publish(topic, word);
          await heard.hears(word);
          heard.stop();
          const told = heard.words.length;
          await talking.signalsOf("b").publish(topic, "late");
          assert.equal(heard.words.length, told);
        }
      }),
    );
    others.stop();
    await until("no channel is left", async () => (await redis.command("PUBSUB", "CHANNELS"))?.toString() === "");
  });

  it("say so when the connection for them was lost, and go on", async (t) => {
    const redis = await server(t);
    const hub = hubOn(t, redis.url);
    const heard = [await Heard.of(hub, { changes: records, prefix: "" }), await Heard.of(hub, { grants: true })];
    await redis.command("CLIENT", "KILL", "TYPE", "pubsub");
    for (const one of heard) await one.hears("gap");
    await redis.command("SET", key("after"), "v");
    await heard[0]?.hears("after");
    await redis.command("PUBLISH", "hf:s:s", "7:1:ahf:lock:svc:locks{k}");
    await heard[1]?.hears("granted");
  });

  it("leave nothing behind when the backend ends", async (t) => {
    const redis = await server(t);
    const hub = hubOn(t, redis.url);
    const heard = await Heard.of(hub, { changes: records, prefix: "" });
    await Heard.of(hub, { topic: "t" });
    await hub.close();
    await until("no pattern is left", async () => (await redis.command("PUBSUB", "NUMPAT")) === 0);
    await until("no channel is left", async () => (await redis.command("PUBSUB", "CHANNELS"))?.toString() === "");
    await redis.command("SET", key("after"), "v");
    assert.deepEqual(heard.words, []);
  });

  it("name the flags where the user may not set them, at open and at the first watch", async (t) => {
    const redis = await server(t, { users: ["user app on >secret ~* &* +@all -config"] });
    const url = redis.url.replace("redis://", "redis://app:secret@");
    const router = makeRouter({ url });
    t.after(() => router.close());
    const deadline = performance.now() + 5_000;
    assert.match((await notificationsForbidden(router, "enable", deadline)) ?? "", /"Kg\$xe"/u);
    assert.equal(await notificationsForbidden(router, "assume", deadline), undefined);
    await assert.rejects(
      Heard.of(hubOn(t, url), { changes: records, prefix: "" }),
      (error) => isHoldfastError(error, "UNSUPPORTED") && error.message.includes("Kg$xe"),
    );
    await redis.command("CONFIG", "SET", "notify-keyspace-events", "AK");
    const heard = await Heard.of(hubOn(t, url, "assume"), { changes: records, prefix: "" });
    await redis.command("SET", key("k"), "v");
    await heard.hears("k");
  });

  it("name the flags to whoever watches a store", async (t) => {
    const redis = await server(t, { appendonly: "everysec", users: ["user app on >secret ~* &* +@all -config"] });
    const hf = await connect(redis.url.replace("redis://", "redis://app:secret@"));
    t.after(() => hf.close());
    assert.equal(hf.capabilities.watch, "none");
    await assert.rejects(
      hf.state("s").watch(),
      (error) => isHoldfastError(error, "UNSUPPORTED") && error.message.includes("Kg$xe"),
    );
  });

  it("tell a user who may only read parameters what that is enough for", async (t) => {
    const redis = await server(t, { users: ["user app on >secret ~* &* +@all -config +config|get"] });
    const router = makeRouter({ url: redis.url.replace("redis://", "redis://app:secret@") });
    t.after(() => router.close());
    const deadline = performance.now() + 5_000;
    assert.match((await notificationsForbidden(router, "enable", deadline)) ?? "", /"Kg\$xe"/u);
    await redis.command("CONFIG", "SET", "notify-keyspace-events", "AK");
    assert.equal(await notificationsForbidden(router, "enable", deadline), undefined);
  });

  it("say that a channel is forbidden", async (t) => {
    const redis = await server(t, { users: ["user app on >secret ~* resetchannels &hf:s:* +@all"] });
    const hub = hubOn(t, redis.url.replace("redis://", "redis://app:secret@"));
    await Heard.of(hub, { grants: true });
    for (const refused of [Heard.of(hub, { topic: "t" }), hub.signalsOf("s").publish("t", "x")]) {
      await assert.rejects(refused, (error) => isHoldfastError(error, "UNSUPPORTED"));
    }
  });
});
