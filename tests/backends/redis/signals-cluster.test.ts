import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { redisBackend } from "../../../src/backends/redis/index.ts";
import { drawId } from "../../../src/base/ids.ts";
import { space } from "../../../src/base/keys.ts";
import type { Backend, Session, Signal } from "../../../src/port/index.ts";
import { startCluster, type RedisCluster } from "../../support/redis/cluster.ts";
import { until } from "../../support/servers/until.ts";

const records = space("state", "", "records");
const flagsNeeded = ["$", "K", "e", "g", "x"];

interface World {
  readonly backend: Backend;
  readonly session: Session;
  readonly heard: string[];
  set(key: string): Promise<void>;
}

async function world(t: TestContext, cluster: RedisCluster, prefix = drawId()): Promise<World> {
  const url = `${cluster.url}?prefix=${prefix}`;
  const backend = redisBackend({ url });
  t.after(() => backend.close());
  const session = backend.session();
  const heard: string[] = [];
  await session.signals?.subscribe({ changes: records, prefix: "" }, (signal) => heard.push(wordOf(signal)));
  const set = async (key: string): Promise<void> => {
    const call = { deadline: performance.now() + 20_000, claim: () => true };
    const group = { ops: [{ op: "set", key: { space: records, key }, id: drawId(), value: "v" }] } as const;
    await until(`a write of ${key}`, async () => (await session.execute([group], call))[0]?.ok === true);
  };
  return { backend, session, heard, set };
}

function wordOf(signal: Signal): string {
  if (signal.type === "changed") return signal.key.key;
  return signal.type === "message" ? signal.body : signal.type;
}

describe("signals on a cluster", () => {
  let cluster: RedisCluster;
  before(async () => {
    cluster = await startCluster({ kind: "redis", appendonly: "everysec" });
  });
  after(() => cluster.stop());

  it("tell of the keys of every node, and messages to the subscribers of every node", async (t) => {
    const { heard, set } = await world(t, cluster);
    const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
    for (const key of keys) await set(key);
    await until("all changes", async () => keys.every((key) => heard.includes(key)));
    const prefix = drawId();
    const listeners = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const { session } = await world(t, cluster, prefix);
        const bodies: string[] = [];
        await session.signals?.subscribe({ topic: "t" }, (signal) => bodies.push(wordOf(signal)));
        return { session, bodies };
      }),
    );
    for (const [i, { session }] of listeners.entries()) await session.signals?.publish("t", String(i));
    const complete = listeners.map((_, i) => String(i));
    await until("all messages", async () =>
      listeners.every(({ bodies }) => complete.every((body) => bodies.includes(body))),
    );
  });

  it("say so when a replica takes over, which has the flags before the gap is told", async (t) => {
    const { heard, set } = await world(t, cluster);
    await set("k");
    await until("the change", async () => heard.includes("k"));
    const slot = await cluster.slotOf("k");
    const old = await cluster.primaryOf(slot);
    await old.kill();
    const successor = await cluster.failedOver(slot, old);
    // A gap each for the node that is gone and for the one that took its place; what is told after the last one is whole.
    await until("its flags", async () => {
      const reply = (await successor.command("CONFIG", "GET", "notify-keyspace-events")) as string[];
      return flagsNeeded.every((flag) => reply[1]?.includes(flag) === true);
    });
    await until("the gap", async () => heard.includes("gap"));
    heard.length = 0;
    await set("k");
    await until("what is written after it", async () => heard.includes("k"));
    await old.restart();
    await cluster.whole();
  });

  it("hand a lock over across nodes, though the waiter listens elsewhere", async (t) => {
    const all = await Promise.all(Array.from({ length: 3 }, () => world(t, cluster)));
    for (let i = 0; i < 10; i++) {
      const prefix = `handed ${i}`;
      const session = (all[i % 3] as World).session;
      const lock = { space: space("lock", "", "locks"), key: prefix };
      const call = { deadline: performance.now() + 20_000, claim: () => true };
      const acquire = { op: "acquire", lock, mode: "exclusive", ttl: 60_000, info: "" } as const;
      const granted = new Promise<Signal>((resolve) => {
        void session.signals?.subscribe({ grants: true }, (signal) => signal.type === "granted" && resolve(signal));
      });
      await until(
        "the holder",
        async () => (await session.execute([{ ops: [{ ...acquire, owner: "a" }] }], call))[0]?.ok === true,
      );
      await session.execute([{ ops: [{ ...acquire, owner: "b", wait: { claimMs: 60_000 } }] }], call);
      await session.signals?.subscribe({ topic: "live" }, () => undefined);
      await session.execute([{ ops: [{ op: "release", lock, owner: "a" }] }], call);
      const signal = await granted;
      assert.ok(signal.type === "granted" && signal.owner === "b" && signal.lock.key === prefix);
    }
  });
});
