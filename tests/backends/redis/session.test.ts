import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { isHoldfastError } from "../../../src/base/errors.ts";
import { drawId } from "../../../src/base/ids.ts";
import { keyId } from "../../../src/base/keys.ts";
import { redisBackend } from "../../../src/backends/redis/index.ts";
import { Layout } from "../../../src/backends/redis/layout.ts";
import type { Backend, Group, Operation, Outcome, Page } from "../../../src/port/index.ts";
import { acquire, Client, lock, record } from "../../../src/testing/port/client.ts";
import { FaultProxy } from "../../support/fault-proxy.ts";
import { startRedis, type RedisServer } from "../../support/redis/server.ts";

const long = 600_000;
const layout = new Layout("hf");
const made: Backend[] = [];

function write(key: string, value = "v"): Operation {
  return { op: "set", key: record(key), id: drawId(), value };
}

/** How a group failed. */
function failure(outcome: Outcome | undefined): { readonly sent: boolean; readonly error: Error } {
  assert.ok(outcome && !outcome.ok && outcome.why === "failed", JSON.stringify(outcome));
  return outcome;
}

describe("a session on one Redis", () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  const client = async (): Promise<Client> => {
    const backend = redisBackend({ url: `redis://127.0.0.1:${proxy.port}`, settings: "warn" });
    made.push(backend);
    await backend.open();
    return new Client(backend);
  };
  before(async () => {
    server = await startRedis({ kind: "redis" });
    proxy = await FaultProxy.start({ port: server.port });
  });
  afterEach(async () => {
    proxy.set({ kind: "none" });
    await Promise.all(made.splice(0).map(async (backend) => backend.close()));
    await server.command("FLUSHALL");
  });
  after(async () => {
    await proxy.close();
    await server.stop();
  });

  /** Runs groups by a deadline; how long that took, in ms, and the outcomes. */
  async function timed({ backend, session }: Client, groups: readonly Group[], ms: number) {
    const startedAt = performance.now();
    const deadline = backend.time.monotonic() + ms;
    const outcomes = await session.execute(groups, { deadline, claim: () => true });
    return { outcomes, took: performance.now() - startedAt };
  }

  it("ends at the deadline when nobody answers, and says that it was sent", async () => {
    const one = await client();
    proxy.set({ kind: "black-hole" });
    const groups = [{ ops: [write("k")] }, { ops: [{ op: "get", key: record("k") }] }] as const;
    const { outcomes, took } = await timed(one, [...groups, { ops: [acquire(lock("k"), "a", { ttl: long })] }], 150);
    assert.ok(took > 140 && took < 4_500, `${took} ms`);
    for (const outcome of outcomes) assert.equal(failure(outcome).sent, true);
    proxy.set({ kind: "none" });
    assert.equal((await one.get(record("k")))?.value, "v", "what was sent arrives later");
  });

  it("ends at the deadline when there is no connection, and says that nothing was sent", async () => {
    const backend = redisBackend({ url: `redis://127.0.0.1:${proxy.port}`, settings: "warn" });
    made.push(backend);
    const asked: number[] = [];
    proxy.set({ kind: "black-hole" });
    const session = backend.session();
    const deadline = backend.time.monotonic() + 150;
    const startedAt = performance.now();
    const [outcome] = await session.execute([{ ops: [write("k")] }], { deadline, claim: (i) => asked.push(i) > 0 });
    assert.ok(performance.now() - startedAt < 4_500);
    const { sent, error } = failure(outcome);
    assert.deepEqual([sent, asked], [false, []]);
    assert.ok(isHoldfastError(error, "UNAVAILABLE"));
    await assert.rejects(
      session.page({ space: record("k").space, prefix: "", limit: 1 }, { deadline: deadline + 100 }),
      {
        code: "UNAVAILABLE",
      },
    );
  });

  it("reads a page again whose reply was lost, and while there is no connection", async () => {
    const one = await client();
    await one.group({ ops: [write("k")] });
    const page = async (ms: number): Promise<Page> => {
      const deadline = one.backend.time.monotonic() + ms;
      return one.session.page({ space: record("k").space, prefix: "", limit: 10 }, { deadline });
    };
    const dropped = proxy.nextDrop();
    proxy.set({ kind: "drop-reply", to: "SCAN" });
    const reading = page(20_000);
    await dropped;
    proxy.set({ kind: "none" });
    assert.deepEqual(
      (await reading).records.map(({ key }) => key),
      ["k"],
    );
    proxy.set({ kind: "refuse" });
    proxy.cut();
    await assert.rejects(page(150), (error) => isHoldfastError(error, "UNAVAILABLE"));
    const waiting = page(20_000);
    proxy.set({ kind: "none" });
    assert.equal((await waiting).records.length, 1);
  });

  it("loses its scripts with the server, and goes on", async () => {
    const one = await client();
    const grant = await one.acquire(lock("k"), "a", { ttl: long });
    await server.command("SCRIPT", "FLUSH");
    const batch = Array.from({ length: 300 }, (_, i) => ({ ops: [acquire(lock(`${i}`), "a", { ttl: long })] }));
    assert.ok((await one.groups(batch)).every((outcome) => outcome.ok));
    await server.command("SCRIPT", "FLUSH");
    assert.equal((await one.extend(lock("k"), "a", grant, long)).ok, true);
  });

  it("takes a batch larger than one command", async () => {
    const one = await client();
    const writes = Array.from({ length: 700 }, (_, i) => ({
      ops: [write(`${i}`, "x".repeat(i < 4 ? 1_000_000 : 10))],
    }));
    assert.ok((await one.groups(writes)).every((outcome) => outcome.ok));
    const reads = await one.groups(writes.map((_, i) => ({ ops: [{ op: "get", key: record(`${i}`) }] })));
    assert.ok(reads.every((outcome) => outcome.ok && outcome.results[0] !== undefined));
  });

  it("tells of keys that hold something else, and does nothing to them, nor to the neighbours", async () => {
    const one = await client();
    const names = ["list", "text"].map((key) => [
      layout.name(record(key)),
      layout.name(lock(key)),
      layout.floor(record(key)),
    ]);
    for (const name of names[0] ?? []) await server.command("RPUSH", name, "1");
    for (const name of names[1] ?? []) await server.command("SET", name, "no record of ours");
    for (const key of ["list", "text"]) {
      const id = drawId();
      const bad: Operation[] = [
        { op: "set", key: record(key), id, value: "v", if: { absent: true } },
        { op: "check", key: record(key), if: { id } },
        { op: "floor", key: record(key), grant: 5, n: 0, keepMs: long },
        acquire(lock(key), "a", { ttl: long }),
        { op: "release", lock: lock(key), owner: "a", markMs: long },
        { op: "extend", lock: lock(key), owner: "a", grant: 1, ttl: long },
        { op: "steal", lock: lock(key) },
        { op: "inspect", lock: lock(key) },
      ];
      if (key === "text") bad.push({ op: "get", key: record(key) });
      const outcomes = await one.groups(
        bad.flatMap((op, i) => [
          { ops: [write(`before ${i}`), op] },
          { ops: [write(`${i}`), { op: "delete", key: record("x") }] },
        ]),
      );
      for (const [i, outcome] of outcomes.entries()) {
        if (i % 2 === 1) assert.equal(outcome.ok, true, "a neighbour");
        else assert.equal(isHoldfastError(failure(outcome).error, "CORRUPT_VALUE"), true, bad[i / 2]?.op);
      }
      const written = await one.groups(bad.map((_, i) => ({ ops: [{ op: "get", key: record(`before ${i}`) }] })));
      const reads = bad.map(({ op }) => op === "get");
      assert.deepEqual(
        written.map((outcome) => outcome.ok && outcome.results[0] !== undefined),
        reads,
        "a group is all or nothing",
      );
      for (const [i] of bad.entries()) await one.ok({ op: "delete", key: record(`before ${i}`) });
    }
    assert.equal(await server.command("LLEN", layout.name(lock("list"))), 1);
  });

  it("tells of keys that hold something else also where a plain operation is all of its group", async () => {
    const one = await client();
    for (const name of [layout.name(record("list")), layout.name(lock("list"))])
      await server.command("RPUSH", name, "1");
    for (const text of ["X?", "no record of ours"]) {
      for (const name of [layout.name(record("text")), layout.name(lock("text"))])
        await server.command("SET", name, text);
      for (const key of ["list", "text"]) {
        const bad: Operation[] = [
          { op: "set", key: record(key), id: "new", value: "v", if: { absent: true } },
          { op: "set", key: record(key), id: "new", value: "v", if: { id: "old" } },
          { op: "get", key: record(key), stamped: true },
          acquire(lock(key), "a", { ttl: long }),
          acquire(lock(key), "a", { ttl: long, claimMs: 100 }),
          { op: "release", lock: lock(key), owner: "a" },
          { op: "extend", lock: lock(key), owner: "a", grant: 1, ttl: long },
        ];
        const outcomes = await one.groups(bad.flatMap((op, i) => [{ ops: [op] }, { ops: [write(`${i}`)] }]));
        for (const [i, outcome] of outcomes.entries()) {
          const what = `${bad[Math.floor(i / 2)]?.op} of ${JSON.stringify(key === "list" ? key : text)}`;
          if (i % 2 === 1) assert.equal(outcome.ok, true, `a neighbour of ${what}`);
          else {
            const { sent, error } = failure(outcome);
            assert.deepEqual(
              [sent, isHoldfastError(error, "CORRUPT_VALUE")],
              [false, true],
              `${what}: ${error.message}`,
            );
          }
        }
      }
      assert.equal(await server.command("GET", layout.name(lock("text"))), text);
    }
  });

  it("refuses what the server has no memory for, and changes nothing", async () => {
    const one = await client();
    await one.set(record("old"), "old");
    const grant = await one.acquire(lock("k"), "a", { ttl: long });
    await server.command("CONFIG", "SET", "maxmemory", "1");
    try {
      const groups: Group[] = [
        { ops: [write("1")] },
        { ops: [write("2"), { op: "delete", key: record("old"), if: { absent: true } }] },
        { ops: [write("3"), write("4")] },
        { ops: [acquire(lock("other"), "a", { ttl: long })] },
        { ops: [{ op: "extend", lock: lock("k"), owner: "a", grant, ttl: long, raise: grant + 5 }] },
      ];
      const outcomes = await one.groups(groups);
      assert.equal(!outcomes[1]?.ok && outcomes[1]?.why, "conflict", "a check needs no memory");
      for (const i of [0, 2, 3, 4]) {
        const { sent, error } = failure(outcomes[i]);
        assert.deepEqual([sent, isHoldfastError(error, "UNAVAILABLE")], [false, true], `group ${i}`);
      }
      assert.equal((await one.get(record("old")))?.value, "old", "reads go on");
      assert.deepEqual(await one.release(lock("k"), "a"), true, "and releases");
    } finally {
      await server.command("CONFIG", "SET", "maxmemory", "0");
    }
    assert.deepEqual(await one.inspect(lock("other")), { holders: [], waiting: 0 });
    for (const key of ["1", "3", "4"]) assert.equal(await one.get(record(key)), undefined);
    assert.ok((await one.acquire(lock("k"), "b", { ttl: long })) > grant);
  });

  it("tells its router when it has come to a replica", async () => {
    const one = await client();
    await one.acquire(lock("k"), "a", { ttl: long });
    await server.command("REPLICAOF", "127.0.0.1", "1");
    try {
      const { outcomes } = await timed(
        one,
        [{ ops: [acquire(lock("other"), "a", { ttl: long })] }, { ops: [write("k")] }],
        2_000,
      );
      for (const outcome of outcomes) assert.equal(failure(outcome).sent, false);
    } finally {
      await server.command("REPLICAOF", "NO", "ONE");
    }
    await one.acquire(lock("other"), "a", { ttl: long });
  });

  it("leaves no key behind, and none without an end but records and the clock", async () => {
    const [one, two] = [await client(), await client()];
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const key = lock(`${i % 5}`);
        const owner = `${i}`;
        const own = i % 2 ? one : two;
        const outcome = await own.tryAcquire(key, owner, { ttl: 300, claimMs: 200 });
        if (outcome.ok || i % 3 === 0) await own.release(key, owner, i % 4 ? undefined : 250);
      }),
    );
    const open = async (): Promise<string[]> => {
      const names = (await server.command("KEYS", "*")) as string[];
      const ends = await Promise.all(names.map(async (name) => server.command("PTTL", name)));
      return names.filter((_, i) => ends[i] === -1).toSorted();
    };
    assert.deepEqual(await open(), ["hf:clock", "hf:domain"]);
    await one.ok({ op: "floor", key: record("k"), grant: 5, n: 1, keepMs: 300 });
    await one.set(record("ends"), "v", { ttl: 300 });
    await pause(700);
    assert.deepEqual(((await server.command("KEYS", "*")) as string[]).toSorted(), ["hf:clock", "hf:domain"]);
  });

  it("gives an end to the queue of a lock also when its only waiter left before the next came", async () => {
    const one = await client();
    await one.acquire(lock("k"), "a", { ttl: long });
    await one.wait(lock("k"), "b", { ttl: long, claimMs: long });
    await one.release(lock("k"), "b");
    const { ahead, state } = await one.wait(lock("k"), "c", { ttl: long, claimMs: 1_000 });
    assert.deepEqual([ahead, state.waiting], [0, 1]);
    for (const name of layout.queue(layout.name(lock("k")))) {
      const ms = Number(await server.command("PTTL", name));
      // An end is rounded up to a millisecond, and PTTL counts from the one that has begun.
      assert.ok(ms > 0 && ms <= 2_001, `${name} ends in ${ms} ms`);
    }
  });

  it("gives no grant twice, whatever becomes of the lock records and of the server's clock", async () => {
    const one = await client();
    const grants = [await one.acquire(lock("k"), "a", { ttl: long })];
    await server.command("DEL", layout.name(lock("k")));
    // As if the server's clock had been ahead.
    const ahead = (grants[0] as number) + 3_600_000_000;
    await server.command("SET", "hf:clock", String(ahead));
    for (const owner of ["b", "c"]) {
      grants.push(await one.acquire(lock("k"), owner, { ttl: long }));
      await one.release(lock("k"), owner);
    }
    assert.deepEqual(grants.slice(1), [ahead + 1, ahead + 2]);
    const batch = await one.groups(
      Array.from({ length: 100 }, (_, i) => ({ ops: [acquire(lock(`${i}`), "a", { ttl: long })] })),
    );
    const all = batch.map((outcome) => (outcome.ok ? (outcome.results[0] as { grant: number }).grant : 0));
    assert.equal(new Set(all).size, 100);
    assert.ok(Math.min(...all) > ahead + 2);
  });

  it("passes on a lock whose waiter died, although nobody asks", async () => {
    const [one, two, three] = [await client(), await client(), await client()];
    const heard = await three.listen({ grants: true });
    const key = lock("k");
    await one.acquire(key, "a", { ttl: long });
    for (const owner of ["dead 1", "dead 2"]) await two.wait(key, owner, { ttl: long, claimMs: 250 });
    await three.wait(key, "live", { ttl: long, claimMs: long });
    two.session.close().catch(() => undefined);
    await one.release(key, "a");
    await heard.granted("live");
    await three.acquire(key, "live", { ttl: long });
    assert.equal(keyId(key), keyId((heard.signals[0] as { lock: typeof key }).lock));
  });

  it("keeps no space for lone surrogates to be lost in", async () => {
    const one = await client();
    for (const [i, ttl] of [undefined, long, "keep" as const].entries()) {
      const value = `\ud800 alone ${i}`;
      await one.set(record("k"), value, ttl === undefined ? {} : { ttl });
      assert.equal((await one.get(record("k")))?.value, value);
    }
  });
});
