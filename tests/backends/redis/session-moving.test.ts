import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isHoldfastError } from "../../../src/base/errors.ts";
import { drawId } from "../../../src/base/ids.ts";
import type { Key } from "../../../src/base/keys.ts";
import { systemTime } from "../../../src/base/time.ts";
import { Alarm } from "../../../src/backends/common/alarm.ts";
import { Batch, type BatchContext } from "../../../src/backends/redis/batch.ts";
import { Layout } from "../../../src/backends/redis/layout.ts";
import { Places } from "../../../src/backends/redis/places.ts";
import type { Arg, Errand, Reply } from "../../../src/backends/redis/router.ts";
import { PendingCallers } from "../../../src/backends/common/pending.ts";
import type { Group, Operation, Outcome } from "../../../src/port/index.ts";
import { lock, okOf, record, type Client } from "../../../src/testing/port/client.ts";
import type { RedisServer } from "../../support/redis/server.ts";
import { until } from "../../support/servers/until.ts";
import { clusterClients } from "./support/cluster-clients.ts";
import { FakeRouter } from "./support/fake-router.ts";

const long = 600_000;
const layout = new Layout("hf");

/** Of a cluster that refuses every command, and would send it again later. */
class Refusing extends FakeRouter {
  override readonly topology = "cluster";
  errand: Errand | undefined;
  /** Whether it is on its way to a server at the deadline. */
  isSent = false;

  override async send(
    _route: string,
    _key: string | undefined,
    _args: readonly Arg[],
    errand?: Errand,
  ): Promise<Reply> {
    this.errand = errand;
    if (errand) errand.refused = !this.isSent;
    return new Promise(() => undefined);
  }
}

describe("a batch that a cluster has not taken by its deadline", () => {
  for (const isSent of [false, true]) {
    it(isSent ? "may have taken effect, if it is with a server" : "took no effect, if no server has it", async () => {
      const router = new Refusing();
      router.isSent = isSent;
      const context: BatchContext = {
        router,
        encoding: { layout, channel: "hf:s:1", stampsApart: true, declareAll: false },
        places: new Places(router, layout),
        pending: new PendingCallers("redis", 2),
        learned: () => undefined,
      };
      const [outcome] = await new Promise<readonly Outcome[]>((resolve) => {
        const group: Group = { ops: [{ op: "set", key: record("k"), id: drawId(), value: "v" }] };
        const deadline = systemTime.monotonic() + 20;
        const alarm = new Alarm<Batch>(systemTime, (batch) => batch.expire());
        new Batch(alarm, [group], { deadline, claim: () => true }, resolve).send(context);
      });
      assert.ok(outcome && !outcome.ok && outcome.why === "failed");
      assert.ok(isHoldfastError(outcome.error, "UNAVAILABLE"));
      assert.deepEqual([outcome.sent, router.errand?.givenUp], [isSent, true]);
    });
  }
});

/** A slot that is on the move. */
interface Move {
  /** Ends it where the slot was. */
  end(): Promise<void>;
  finish(): Promise<void>;
}

describe("a session while a slot moves", () => {
  const here = clusterClients();
  const client = async (): Promise<Client> => here.client();

  /** The slot of a name, who has it, and another primary. */
  async function placeOf(name: string): Promise<{ slot: number; source: RedisServer; target: RedisServer }> {
    const slot = await here.cluster.slotOf(name);
    const source = await here.cluster.primaryOf(slot);
    const target = here.cluster.nodes.slice(0, 3).find((node) => node !== source) as RedisServer;
    return { slot, source, target };
  }

  /** How often a command came to the primaries, also where they refused it. */
  async function attempts(command: string): Promise<number> {
    let sum = 0;
    for (const node of here.cluster.nodes.slice(0, 3)) {
      const line = new RegExp(`cmdstat_${command}:(.*)`).exec(String(await node.command("INFO", "commandstats")));
      for (const [, count] of line?.[1]?.matchAll(/(?:^|,)(?:rejected_)?calls=(\d+)/g) ?? []) sum += Number(count);
    }
    return sum;
  }

  /** Begins to move a slot, and moves none of its keys. */
  async function begin(name: string): Promise<Move> {
    const { slot, source, target } = await placeOf(name);
    const [from, to] = [
      String(await source.command("CLUSTER", "MYID")),
      String(await target.command("CLUSTER", "MYID")),
    ];
    await target.command("CLUSTER", "SETSLOT", String(slot), "IMPORTING", from);
    await source.command("CLUSTER", "SETSLOT", String(slot), "MIGRATING", to);
    return {
      end: async () => {
        for (const node of [source, target]) await node.command("CLUSTER", "SETSLOT", String(slot), "STABLE");
      },
      finish: async () => here.cluster.moveSlot(slot, target),
    };
  }

  /** Has `owner` come to wait, which is refused until the slot has a place. Resolves with how many wait then. */
  async function waitsFor(move: Move, one: Client, key: Key, owner: string): Promise<number> {
    const earlier = await attempts("evalsha");
    const waiting = one.wait(key, owner, { ttl: long, claimMs: 60_000 });
    await until("several attempts", async () => (await attempts("evalsha")) > earlier + 4);
    await move.finish();
    return (await waiting).state.waiting;
  }

  it("sends no write again that was given up", { timeout: 60_000 }, async () => {
    const one = await client();
    const keys = ["{t}1", "{t}2"].map((key) => record(key));
    for (const key of keys) await one.set(key, "first");
    const { slot, target } = await placeOf(layout.name(record("t")));
    let reading: Promise<unknown> | undefined;
    await here.cluster.moveSlot(slot, target, async () => {
      if (reading) return;
      const saves = keys.map((key): Operation => ({ op: "set", key, id: drawId(), value: "old" }));
      const outcomes = await one.session.execute(
        saves.map((op) => ({ ops: [op] })),
        { deadline: one.backend.time.monotonic() + 100, claim: () => true },
      );
      for (const outcome of outcomes) assert.ok(!outcome.ok && outcome.why === "failed");
      await one.set(keys[0] as (typeof keys)[0], "new");
      const asked = await attempts("mset");
      assert.ok(asked > 0);
      // What is still wanted is sent again meanwhile, as the other would be.
      const earlier = await attempts("mget");
      reading = one.groups(keys.map((key) => ({ ops: [{ op: "get", key }] })));
      await until("several attempts to read", async () => (await attempts("mget")) > earlier + 4);
      assert.equal(await attempts("mset"), asked);
    });
    const asked = await attempts("mset");
    await reading;
    const found = await Promise.all(keys.map(async (key) => (await one.get(key))?.value));
    assert.deepEqual(found, ["new", "first"]);
    assert.equal(await attempts("mset"), asked);
  });

  it("hands a lock on to its last waiter, who then has it", { timeout: 60_000 }, async () => {
    const [one, two] = [await client(), await client()];
    const key = lock("handed on");
    const heard = await two.listen({ grants: true });
    await one.acquire(key, "a", { ttl: 400 });
    await two.wait(key, "w", { ttl: long, claimMs: 60_000 });
    const move = await begin(layout.name(key));
    try {
      const told = await heard.granted("w");
      assert.ok(told.type === "granted" && told.grant !== undefined);
      okOf(await two.extend(key, "w", told.grant, long));
      const { holders, waiting } = await two.inspect(key);
      assert.deepEqual([holders.map(({ owner, grant }) => [owner, grant]), waiting], [[["w", told.grant]], 0]);
      assert.equal(await two.release(key, "w"), true);
    } finally {
      heard.stop();
      await move.end();
    }
  });

  it("lets the last waiter leave", { timeout: 60_000 }, async () => {
    const one = await client();
    const key = lock("left");
    const grant = await one.acquire(key, "a", { ttl: long });
    await one.wait(key, "w", { ttl: long, claimMs: 60_000 });
    const move = await begin(layout.name(key));
    try {
      assert.equal(await one.release(key, "w"), false);
      const { holders, waiting } = await one.inspect(key);
      assert.deepEqual([holders.map((holder) => holder.grant), waiting], [[grant], 0]);
      assert.equal(await one.release(key, "a"), true);
    } finally {
      await move.end();
    }
  });

  for (const how of [{ mode: "exclusive" }, { mode: "shared", limit: 1 }] as const) {
    it(
      `serves every waiter in turn while the keys of the ${how.mode} lock are on their way`,
      { timeout: 60_000 },
      async () => {
        const one = await client();
        const heard = await one.listen({ grants: true });
        const key = lock(`passed on ${how.mode}`);
        const owners = Array.from({ length: 8 }, (_, i) => `w${i}`);
        await one.acquire(key, "a", { ttl: long, ...how });
        for (const owner of owners) await one.wait(key, owner, { ttl: long, ...how, claimMs: 60_000 });
        const { slot, target } = await placeOf(layout.name(key));
        // Each step hands it on once, if that can be done by its deadline: what was refused until then is done later.
        let holder = "a";
        const handOn = async (ms: number): Promise<void> => {
          const deadline = one.backend.time.monotonic() + ms;
          const ops: Operation[] = [{ op: "release", lock: key, owner: holder }];
          const [outcome] = await one.session.execute([{ ops }], { deadline, claim: () => true });
          if (!outcome?.ok) return assert.equal(outcome?.why, "failed");
          assert.deepEqual(outcome.results, [true]);
          holder = owners.shift() ?? "";
          if (holder !== "") await heard.granted(holder);
        };
        await here.cluster.moveSlot(slot, target, async () => handOn(300));
        while (holder !== "") await handOn(10_000);
        heard.stop();
        assert.equal(owners.length, 0);
        assert.deepEqual(await one.inspect(key), { holders: [], waiting: 0 });
      },
    );
  }

  it("leaves a queue where it is when its lock goes first", { timeout: 60_000 }, async () => {
    const one = await client();
    const key = lock("torn");
    const grant = await one.acquire(key, "a", { ttl: long });
    await one.wait(key, "w1", { ttl: long, claimMs: 60_000 });
    const name = layout.name(key);
    const { slot, source, target } = await placeOf(name);
    const move = await begin(name);
    const all = (await source.command("CLUSTER", "GETKEYSINSLOT", String(slot), "9")) as string[];
    const first = all.filter((found) => !layout.queue(name).includes(found));
    assert.deepEqual([all.length, first.length], [4, 2]);
    await source.command("MIGRATE", target.host, String(target.port), "", "0", "5000", "KEYS", ...first);
    // A renewal needs the lock alone.
    okOf(await one.extend(key, "a", grant, long));
    assert.equal(await waitsFor(move, one, key, "w2"), 2);
    assert.equal(await one.release(key, "a"), true);
    assert.deepEqual(await one.holders(key), ["w1"]);
  });

  it("queues the first waiter as soon as the slot has a place", { timeout: 60_000 }, async () => {
    const one = await client();
    const key = lock("first");
    await one.acquire(key, "a", { ttl: long });
    const move = await begin(layout.name(key));
    assert.equal(await waitsFor(move, one, key, "w"), 1);
    assert.equal(await one.release(key, "a"), true);
    assert.deepEqual(await one.holders(key), ["w"]);
  });
});
