import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isHoldfastError } from "../../../src/base/errors.ts";
import { drawId } from "../../../src/base/ids.ts";
import { space, type Key } from "../../../src/base/keys.ts";
import { Layout } from "../../../src/backends/redis/layout.ts";
import type { Operation, Page, Stamp, StoredRecord } from "../../../src/port/index.ts";
import { acquire, lock, okOf, record, type Client } from "../../../src/testing/port/client.ts";
import type { RedisServer } from "../../support/redis/server.ts";
import { clusterClients } from "./support/cluster-clients.ts";

const long = 600_000;
const layout = new Layout("hf");

function write(key: Key, stamps?: readonly Stamp[]): Operation {
  return { op: "set", key, id: drawId(), value: "v", stamps };
}

describe("a session on a cluster", () => {
  const here = clusterClients();
  const client = async (): Promise<Client> => here.client();

  it("refuses a group of several slots before anything is sent, and nothing beside it", async () => {
    const one = await client();
    const asked: number[] = [];
    const guard = { lock: lock("c"), owner: "a", grant: await one.acquire(lock("c"), "a", { ttl: long }) };
    const outcomes = await one.groups(
      [
        { ops: [write(record("a"))] },
        { ops: [write(record("b")), write(record("c"))] },
        { guards: [guard], ops: [write(record("d"))] },
        { guards: [guard], ops: [write(record("c"))] },
      ],
      (i) => asked.push(i) > 0,
    );
    assert.deepEqual(asked, [0, 3]);
    for (const i of [1, 2]) {
      const outcome = outcomes[i];
      assert.ok(outcome && !outcome.ok && outcome.why === "failed" && !outcome.sent);
      assert.ok(isHoldfastError(outcome.error, "UNSUPPORTED"));
    }
    const found = await Promise.all(["a", "b", "c", "d"].map(async (key) => (await one.get(record(key)))?.value));
    assert.deepEqual(found, ["v", undefined, "v", undefined]);
  });

  it("does what has one tag as one step: records, fences, locks, guards", async () => {
    const one = await client();
    const key = lock("order {42}");
    const grant = await one.acquire(key, "a", { ttl: long });
    const ops: Operation[] = [
      write(record("42")),
      write(record("{42}:lines")),
      { op: "floor", key: record("42"), grant, n: 0, keepMs: long },
      acquire(lock("{42}"), "b", { ttl: long }),
    ];
    okOf(await one.group({ guards: [{ lock: key, owner: "a", grant }], ops }));
    await one.refused("fenced", { guards: [{ lock: key, owner: "b", grant }], ops });
    await one.refused("held", { ops: [write(record("42")), acquire(lock("{42}"), "c", { ttl: long })] });
  });

  it("compares stamps wherever they are", async () => {
    const one = await client();
    const tags = Array.from({ length: 12 }, (_, i): Key => ({ space: space("stamp", "s", "c"), key: `tag ${i}` }));
    const stamps = await Promise.all(tags.map(async (key) => ({ key, id: await one.set(key, "") })));
    const entries = Array.from({ length: 12 }, (_, i): Key => ({ space: space("cache", "s", "c"), key: `entry ${i}` }));
    await one.groups(entries.map((key, i) => ({ ops: [write(key, stamps.slice(i))] })));
    await one.set(tags[5] as Key, "");
    await one.ok({ op: "delete", key: tags[9] as Key });
    const reads = await one.groups([
      ...entries.map((key) => ({ ops: [{ op: "get", key, stamped: true }] as const })),
      ...entries.map((key) => ({
        ops: [
          { op: "get", key, stamped: true },
          { op: "check", key, if: { id: "x" } },
        ] as const,
      })),
      ...entries.map((key) => ({
        ops: [
          { op: "get", key, stamped: true },
          { op: "delete", key },
        ] as const,
      })),
    ]);
    const current = (from: number): boolean[] =>
      reads.slice(from, from + 12).map((outcome) => outcome.ok && outcome.results[0] !== undefined);
    const expected = entries.map((_, i) => i > 9);
    assert.deepEqual(current(0), expected);
    assert.ok(reads.slice(12, 24).every((outcome) => !outcome.ok && outcome.why === "conflict"));
    assert.deepEqual(current(24), expected);
    assert.ok(reads.slice(24).every((outcome) => outcome.ok && outcome.results[1] === true));
  });

  it("draws rising grants in every slot", async () => {
    const one = await client();
    const keys = Array.from({ length: 60 }, (_, i) => lock(`${i}`));
    let last = keys.map(() => 0);
    for (let round = 0; round < 3; round++) {
      const outcomes = await one.groups(keys.map((key) => ({ ops: [acquire(key, "a", { ttl: long })] })));
      const grants = outcomes.map((outcome) => (okOf(outcome)[0] as { grant: number }).grant);
      assert.ok(grants.every((grant, i) => grant > (last[i] as number)));
      last = grants;
      await one.groups(keys.map((key) => ({ ops: [{ op: "release", lock: key, owner: "a" }] })));
    }
  });

  /** Lists everything; `between` runs after each page. */
  async function list(one: Client, limit: number, between: (i: number) => Promise<void>): Promise<Set<string>> {
    const found: StoredRecord[] = [];
    let cursor: string | undefined;
    for (let i = 0; i < 2_000; i++) {
      const deadline = one.backend.time.monotonic() + 20_000;
      const page: Page = await one.session.page({ space: record("k").space, prefix: "", limit, cursor }, { deadline });
      found.push(...page.records);
      ({ cursor } = page);
      if (cursor === undefined) return new Set(found.map(({ key }) => key));
      await between(i);
    }
    return assert.fail("a listing ends");
  }

  async function fill(one: Client): Promise<string[]> {
    const keys = Array.from({ length: 240 }, (_, i) => `k${i}`);
    for (const outcome of await one.groups(keys.map((key) => ({ ops: [write(record(key))] })))) okOf(outcome);
    return keys;
  }

  /** A primary other than the one of the slot. */
  async function another(slot: number): Promise<RedisServer> {
    const present = await here.cluster.primaryOf(slot);
    const ports = here.cluster.nodes.slice(0, 3);
    return ports.find((node) => node !== present) as RedisServer;
  }

  it("lists what moves from one primary to another meanwhile", { timeout: 60_000 }, async () => {
    const one = await client();
    const keys = await fill(one);
    let moved = 0;
    const found = await list(one, 10, async (i) => {
      if (i % 3 !== 0 || moved === 8) return;
      const slot = await here.cluster.slotOf(layout.name(record(keys[(moved++ * 29) % 240] as string)));
      await here.cluster.moveSlot(slot, await another(slot));
    });
    assert.equal(moved, 8);
    assert.deepEqual(
      keys.filter((key) => !found.has(key)),
      [],
    );
  });

  it("lists on while connections to primaries are lost", { timeout: 60_000 }, async () => {
    const one = await client();
    const keys = await fill(one);
    const found = await list(one, 10, async (i) => {
      const node = here.cluster.nodes[i % 3] as RedisServer;
      await node.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    });
    assert.deepEqual([...found].toSorted(), keys.toSorted());
  });

  it("lists what is on its way while a slot moves", { timeout: 60_000 }, async () => {
    const one = await client();
    const keys = await fill(one);
    const tagged = Array.from({ length: 40 }, (_, i) => `{way}${i}`);
    for (const outcome of await one.groups(tagged.map((key) => ({ ops: [write(record(key))] })))) okOf(outcome);
    const slot = await here.cluster.slotOf(layout.name(record("way")));
    let listing: Promise<Set<string>> | undefined;
    let steps = 0;
    await here.cluster.moveSlot(slot, await another(slot), async () => {
      if (++steps === 10) listing = list(one, 1_000, async () => undefined);
    });
    const found = await (listing as Promise<Set<string>>);
    assert.deepEqual(
      [...keys, ...tagged].filter((key) => !found.has(key)),
      [],
    );
  });
});
