import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { drawId } from "../../../src/base/ids.ts";
import { keyId, space, type Key } from "../../../src/base/keys.ts";
import type { ListedRecord, Operation, Payload, StoredRecord, Ttl } from "../../../src/port/index.ts";
import { acquire, Client, lock, record } from "../../../src/testing/port/client.ts";
import { bindSuite, type Case } from "../../../src/testing/suite.ts";
import { subjects } from "../../support/subjects.ts";

const long = 600_000;
const entry: Key = { space: space("cache", "conformance", "entries"), key: "{k}entry" };
const tag: Key = { space: space("stamp", "conformance", "entries"), key: "{k}tag" };
const other: Key = { space: space("stamp", "conformance", "entries"), key: "far" };
const values: readonly Payload[] = ["", "text", "\ud800", new Uint8Array([0, 255]), "v".repeat(100_000)];
const ends: readonly (Ttl | undefined)[] = [undefined, long];

async function put(client: Client, key: Key, value: Payload, ttl?: Ttl, stamps?: readonly Key[]): Promise<string> {
  const id = drawId();
  const current = await Promise.all(
    (stamps ?? []).map(async (stamp) => {
      const found = await client.get(stamp);
      return { key: stamp, id: found?.id ?? "missing" };
    }),
  );
  await client.ok({ op: "set", key, id, value, ttl, stamps: current });
  return id;
}

async function result(client: Client, op: Operation): Promise<unknown> {
  return (await client.ok(op))[0];
}

const cases: readonly Case[] = [
  {
    title: "a touch moves the end and nothing else",
    proves: "port: touch",
    async run(context) {
      const client = Client.of(context);
      const key: Key = { ...record("t"), key: "{k}t" };
      await put(client, other, "");
      for (const value of values)
        for (const before of ends)
          for (const after of [undefined, 2 * long, { at: context.place.backend().time.wall() + long }] as const)
            for (const stamps of [undefined, [other]])
              for (const grouped of [false, true]) {
                const id = await put(client, key, value, before, stamps);
                const op: Operation = { op: "touch", key, ttl: after };
                const beside: Operation = { op: "check", key, if: { id } };
                assert.equal((await client.ok(...(grouped ? [op, beside] : [op])))[0], true);
                const found = (await result(client, { op: "get", key, stamped: "show" })) as ListedRecord;
                assert.deepEqual([found.id, found.value], [id, value]);
                assert.equal(found.stamps?.[0]?.key, stamps && keyId(other));
                if (after === undefined) assert.equal(found.expiresAt, undefined);
                else if (typeof after === "object") assert.equal(found.expiresAt, after.at);
                else assert.ok(Math.abs((found.expiresAt as number) - Date.now() - after) < 60_000);
              }
      assert.equal(await result(client, { op: "touch", key: { ...key, key: "no" }, ttl: 5 }), false);
      const id = await put(client, key, "v");
      await client.refused("conflict", { ops: [{ op: "touch", key, if: { id: "no" }, ttl: 5 }] });
      assert.equal((await client.get(key))?.expiresAt, undefined);
      assert.equal(await result(client, { op: "touch", key, if: { id }, ttl: long }), true);
      assert.ok((await client.get(key))?.expiresAt);
    },
  },
  {
    title: "stamped operations of a record that is not current do not see it",
    proves: "port: stamped",
    async run(context) {
      const client = Client.of(context);
      for (const stamp of [tag, other])
        for (const isCurrent of [true, false])
          for (const value of values)
            for (const grouped of [false, true]) {
              const write = async (): Promise<string> => {
                await put(client, stamp, "");
                const its = await put(client, entry, value, long, [stamp]);
                if (!isCurrent) await put(client, stamp, "");
                return its;
              };
              const ask = async (op: Operation): Promise<unknown> => {
                const floor: Operation = { op: "floor", key: entry, grant: 1, n: 1, keepMs: long };
                return (await client.ok(...(grouped ? [op, floor] : [op])))[0];
              };
              const id = await write();
              const end = (await client.get(entry))?.expiresAt;
              const whole: StoredRecord = { key: entry.key, id, value, expiresAt: end };
              const stampsOf = async (): Promise<unknown> => [
                { key: keyId(stamp), id: (await client.get(stamp))?.id as string },
              ];
              const [head, shown] = await Promise.all([
                ask({ op: "get", key: entry, stamped: true, keyOnly: true }),
                ask({ op: "get", key: entry, stamped: "show" }),
              ]);
              assert.deepEqual(head, isCurrent ? { ...whole, value: "" } : undefined);
              assert.deepEqual(shown, isCurrent ? { ...whole, stamps: await stampsOf() } : undefined);
              assert.deepEqual(
                await ask({ op: "get", key: entry, stamped: "show", keyOnly: true }),
                isCurrent ? { ...whole, value: "", stamps: await stampsOf() } : undefined,
              );
              assert.deepEqual(await ask({ op: "get", key: entry, keyOnly: true }), { ...whole, value: "" });
              assert.equal(await ask({ op: "touch", key: entry, stamped: true, ttl: 2 * long }), isCurrent);
              const touched = (await client.get(entry))?.expiresAt as number;
              assert.equal(touched > (end as number), isCurrent);
            }
    },
  },
  {
    title: "a page of keys alone has up to 10,000 of them, with versions, ends and stamps, and no values",
    proves: "port: Query.keysOnly",
    async run(context) {
      const client = Client.of(context);
      const { space: records } = record("any");
      await put(client, other, "");
      const ids = new Map<string, string>();
      const groups = Array.from({ length: 3_000 }, (_, i) => {
        const id = drawId();
        ids.set(`k${i}`, id);
        const key = record(`k${i}`);
        return {
          ops: [{ op: "set", key, id, value: new Uint8Array([i % 256]), ttl: i % 2 ? long : undefined } as const],
        };
      });
      for (const outcome of await client.groups(groups)) assert.ok(outcome.ok);
      ids.set("stamped", await put(client, record("stamped"), "v".repeat(5_000), long, [other]));
      const found = new Map<string, ListedRecord>();
      const deadline = client.backend.time.monotonic() + 30_000;
      let cursor: string | undefined;
      do {
        const page = await client.session.page(
          { space: records, prefix: "", limit: 10_000, keysOnly: true, cursor },
          { deadline },
        );
        for (const one of page.records) found.set(one.key, one);
        ({ cursor } = page);
      } while (cursor !== undefined);
      assert.deepEqual([...found.keys()].toSorted(), [...ids.keys()].toSorted());
      for (const [key, id] of ids) {
        const one = found.get(key) as ListedRecord;
        assert.deepEqual([one.id, one.value], [id, ""]);
        assert.equal(one.expiresAt !== undefined, key === "stamped" || Number(key.slice(1)) % 2 === 1);
        assert.equal(one.stamps?.[0]?.key, key === "stamped" ? keyId(other) : undefined);
      }
    },
  },
  {
    title: "the hold of one owner is stolen, and others stay",
    proves: "port: steal owner",
    async run(context) {
      const client = Client.of(context);
      const key = lock("l");
      const a = await client.acquire(key, "a", { ttl: long, mode: "shared" });
      const b = await client.acquire(key, "b", { ttl: long, mode: "shared" });
      const steal = async (owner?: string): Promise<number> => {
        const [state] = await client.ok({ op: "steal", lock: key, owner });
        return (state as { holders: readonly unknown[] }).holders.length;
      };
      assert.equal(await steal("nobody"), 2);
      assert.equal(await steal("a"), 2);
      assert.equal(await steal("a"), 1, "it holds no more");
      await client.refused("fenced", { ops: [{ op: "extend", lock: key, owner: "a", grant: a, ttl: long }] });
      assert.equal((await client.extend(key, "b", b, long)).ok, true);
      await client.refused("held", { ops: [acquire(key, "x", { ttl: long })] });
      const waits = await client.wait(key, "x", { ttl: long, claimMs: long });
      assert.equal(waits.state.holders.length, 1);
      assert.equal(await steal("b"), 1);
      const confirmed = await client.acquire(key, "x", { ttl: long });
      assert.ok(confirmed > b);
      assert.equal(await steal("y"), 1);
      assert.equal(await steal("x"), 1);
      assert.equal(await steal("x"), 0);
    },
  },
];

for (const subject of subjects.filter(({ name }) => /^(?:redis|valkey|keydb|dragonfly)/.test(name))) {
  const bound = await bindSuite("port", cases, subject);
  describe(subject.name, { concurrency: 8 }, () => {
    for (const one of bound) it(one.title, { skip: one.skip ?? false, timeout: 60_000 }, one.run);
  });
}
